//go:build !race

// The terminal library reads the terminal in a goroutine that it does not wait for as a view ends: its close and that
// read race, in its code alone.

package live

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

func settings(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

// modes are what a program turns on in a terminal, and what turns it off again: the alternate screen, the hidden cursor,
// bracketed paste, and two ways of telling keys apart.
var modes = []struct{ name, on, off string }{
	{"screen", "\x1b[?1049h", "\x1b[?1049l"},
	{"cursor", "\x1b[?25l", "\x1b[?25h"},
	{"paste", "\x1b[?2004h", "\x1b[?2004l"},
	{"modifyOtherKeys", "\x1b[>4;2m", "\x1b[>4m"},
	{"kitty keyboard", "\x1b[>1u", "\x1b[<1u"},
}

// However Run ends, the terminal is as it was before.
func TestRunRestoresTheTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	for _, c := range []struct {
		name  string
		end   func(user *os.File, cancel func())
		panic bool
	}{
		{"key", func(user *os.File, _ func()) { _, _ = user.WriteString("q") }, false},
		{"context", func(_ *os.File, cancel func()) { cancel() }, false},
		{"panic", func(*os.File, func()) {}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			user, terminal := testkit.OpenTerminal(t)
			if !IsTerminal(terminal) {
				t.Fatal("a pseudo-terminal is not taken for a terminal")
			}
			before := settings(t, terminal)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			shown := make(chan struct{})
			v := New(Options{Title: "title", Input: terminal, Output: terminal, Summary: func() Summary {
				if c.panic {
					<-shown // Before, there is nothing to restore.
					panic("a summary that fails")
				}
				return Summary{}
			}})
			v.Add([]flow.Record{simple(time.Now(), "a", true, 1, 10)})
			written := collect(user, "10.0.0.2:80", shown)
			ended := make(chan error, 1)
			go func() { ended <- v.Run(ctx) }()
			select {
			case <-shown:
			case <-ctx.Done():
				t.Fatal("the connection does not appear")
			}
			c.end(user, cancel)
			if err := <-ended; (err != nil) != c.panic {
				t.Errorf("Run returned %v", err)
			}
			if diff := cmp.Diff(before, settings(t, terminal)); diff != "" {
				t.Errorf("settings changed:\n%s", diff)
			}
			terminal.Close()
			out := string(<-written)
			for _, m := range modes {
				if on, off := strings.LastIndex(out, m.on), strings.LastIndex(out, m.off); on < 0 || off < on {
					t.Errorf("%s: last turned on at byte %d, off at %d of %d", m.name, on, off, len(out))
				}
			}
		})
	}
}

func TestIsTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if IsTerminal(null) {
		t.Error("the null device is taken for a terminal")
	}
	_, terminal := testkit.OpenTerminal(t)
	t.Setenv("TERM", "dumb")
	if IsTerminal(terminal) {
		t.Error("a terminal that cannot place the cursor is taken for one that can")
	}
}
