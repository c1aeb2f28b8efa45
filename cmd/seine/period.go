package main

import (
	"cmp"
	"math"
	"time"

	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/query"
)

// periodFlags are the flags of a time range.
type periodFlags struct{ since, until string }

const wantMoment = "want how long ago, such as 10m, 2h or 7d, or a time such as 16:00, 2026-03-01, '2026-03-01 16:00' or 2026-03-01T12:00:00Z"

func (f *periodFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.since, "since", "", "begin of the period, `WHEN`: how long ago, such as 10m, 2h or 7d; a local time such as 16:00, 2026-03-01 or '2026-03-01 16:00'; or one such as 2026-03-01T12:00:00Z (default 1h before its end)")
	s.StringVar(&f.until, "until", "", "end of the period, `WHEN` likewise, or now (default now)")
}

// apply sets the period of a request. Without an end that is the server's to compute, by its own clock.
func (f *periodFlags) apply(r *query.Request, now time.Time) error {
	until := f.until
	if until == "now" {
		until = ""
	}
	from, err := moment("since", f.since, now)
	if err != nil {
		return err
	}
	to, err := moment("until", until, now)
	if err != nil {
		return err
	}
	end := now
	if until != "" {
		end = to
	}
	if f.since != "" && !from.Before(end) {
		return usagef("--since %s --until %s: the period would begin at its end or later; want a --since that is earlier", f.since, cmp.Or(f.until, "now"))
	}
	if _, err := query.ParseDuration(f.since); err == nil && until == "" {
		r.Last = f.since
		return nil
	}
	r.From, r.To = written(from), written(to)
	return nil
}

// String tells the period as a part of a sentence.
func (f *periodFlags) String() string {
	switch until := f.until != "" && f.until != "now"; {
	case until && f.since != "":
		return "with --since " + f.since + " --until " + f.until
	case until:
		return "in the hour before --until " + f.until
	case f.since != "":
		return "with --since " + f.since
	}
	return "in the last hour"
}

// written is a time as the API takes it; none for none.
func written(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// moment reads how long ago something was, or when; nothing is the zero time. What was before 1970 is 1970.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var t time.Time
	var ok bool
	if ago, err := query.ParseDuration(text); err == nil {
		t, ok = now.Add(-ago), ago >= 0
	} else {
		t, ok = timeOf(text, now)
	}
	if !ok || t.After(time.Unix(0, math.MaxInt64)) {
		return t, usagef("--%s %q: "+wantMoment, flag, text)
	}
	if t.Before(time.Unix(0, 0)) {
		t = time.Unix(0, 0)
	}
	return t, nil
}

// momentLayouts are the ways in which times are given, in local time where they name no zone.
var momentLayouts = []string{
	time.RFC3339Nano, "2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05",
}

// timeOf reads a time. A time of day alone is the last one that has been.
func timeOf(text string, now time.Time) (time.Time, bool) {
	for _, layout := range momentLayouts {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, true
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		clock, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		t := time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, now.Location())
		if t.After(now) {
			t = t.AddDate(0, 0, -1)
		}
		return t, true
	}
	return time.Time{}, false
}
