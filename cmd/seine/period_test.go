package main

import (
	"testing"
	"time"

	"github.com/seine-net/seine/internal/query"
)

func TestPeriod(t *testing.T) {
	now := time.Date(2026, 3, 5, 15, 0, 0, 0, time.FixedZone("east", 3600))
	f := func(since, until string, want query.Request) {
		t.Helper()
		var got query.Request
		err := (&periodFlags{since, until}).apply(&got, now)
		if err != nil || got.Last != want.Last || got.From != want.From || got.To != want.To {
			t.Errorf("since %q until %q: got %+v, %v, want %+v", since, until, got, err, want)
		}
	}
	f("", "", query.Request{})
	f("7d", "", query.Request{Last: "7d"})
	f("10m", "now", query.Request{Last: "10m"})
	f("2h", "1h", query.Request{From: "2026-03-05T12:00:00Z", To: "2026-03-05T13:00:00Z"})
	f("", "1h", query.Request{To: "2026-03-05T13:00:00Z"})
	f("2026-03-01", "", query.Request{From: "2026-02-28T23:00:00Z"})
	f("2026-03-01 16:00", "2026-03-01T17:00:05", query.Request{From: "2026-03-01T15:00:00Z", To: "2026-03-01T16:00:05Z"})
	f("14:00", "", query.Request{From: "2026-03-05T13:00:00Z"})
	f("16:00", "14:30:30", query.Request{From: "2026-03-04T15:00:00Z", To: "2026-03-05T13:30:30Z"})
	f("2026-03-01T12:00:00.5Z", "", query.Request{From: "2026-03-01T12:00:00.5Z"})
	f("1900-01-01", "", query.Request{From: "1970-01-01T00:00:00Z"})
	for _, wrong := range [][2]string{{"-5m", ""}, {"", "-5m"}, {"1h", "2h"}, {"0s", ""}, {"now", ""}, {"2027-01-01", ""}, {"25:00", ""}, {"2300-01-01", ""}} {
		if err := (&periodFlags{wrong[0], wrong[1]}).apply(new(query.Request), now); exitCode(err) != exitUsage {
			t.Errorf("since %q until %q: got %v, want a usage error", wrong[0], wrong[1], err)
		}
	}
}
