package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReference writes a table and reads it again.
func TestReference(t *testing.T) {
	want := make(statistics)
	want.set(program{"seine_in", "no source"}, "6.1", statistic{14000, 900})
	want.set(program{"seine_in", "no source"}, "5.10", statistic{15000, 901})
	want.set(program{"seine_in", "look-up"}, "6.12", statistic{90000, 5000})
	got, err := parseReference(string(formatReference(want)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(program{}, statistic{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCompare(t *testing.T) {
	p := program{"seine_in", "no source"}
	known := make(statistics)
	known.set(p, "6.1", statistic{1000, 100})
	f := func(p program, kernel string, v statistic, want string) {
		t.Helper()
		err := compare(known, p, kernel, v)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v on %s: %v, want %q", v, kernel, err, want)
		}
	}
	f(p, "6.1", statistic{1000, 100}, "")
	f(p, "6.1", statistic{1200, 120}, "")
	f(p, "6.1", statistic{10, 1}, "")
	f(p, "6.1", statistic{1201, 100}, "1201 instructions, 20 % more")
	f(p, "6.1", statistic{1000, 130}, "130 states, 30 % more")
	f(p, "6.12", statistic{1, 1}, "no line")
	f(program{"seine_out", "no source"}, "6.1", statistic{1, 1}, "no line")
}
