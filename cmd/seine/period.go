package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/query"
)

// periodFlags are the flags of a time range.
type periodFlags struct{ since, until string }

func (f *periodFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.since, "since", "", "begin of the period: how long ago, such as 10m, 2h or 7d, or a time such as 2026-03-01T12:00:00Z (default 1h)")
	s.StringVar(&f.until, "until", "", "end of the period, likewise (default now)")
}

// apply sets the period of a request. Without an end that is the server's to compute, by its own clock.
func (f *periodFlags) apply(r *query.Request, now time.Time) error {
	if f.until == "" {
		if _, err := query.ParseDuration(f.since); err == nil {
			r.Last = f.since
			return nil
		}
	}
	from, err := moment("since", f.since, now)
	if err != nil {
		return err
	}
	to, err := moment("until", f.until, now)
	if err != nil {
		return err
	}
	r.From, r.To = from, to
	return nil
}

// moment reads how long ago something was, or when.
func moment(flag, text string, now time.Time) (string, error) {
	if text == "" {
		return "", nil
	}
	if ago, err := query.ParseDuration(text); err == nil {
		return now.Add(-ago).UTC().Format(time.RFC3339Nano), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return "", usagef("--%s %q: want how long ago, such as 10m, 2h or 7d, or a time such as 2026-03-01T12:00:00Z", flag, text)
	}
	return t.UTC().Format(time.RFC3339Nano), nil
}
