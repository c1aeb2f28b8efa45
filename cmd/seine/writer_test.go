package main

import (
	"io"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// TestWriter expects a large batch in pieces of whole lines, the heading once, and nothing that waits for a later batch.
func TestWriter(t *testing.T) {
	var pieces []string
	to := writerFunc(func(b []byte) (int, error) {
		pieces = append(pieces, string(b))
		return len(b), nil
	})
	enc, err := newEncoder("csv")
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(to, enc)
	f := func(records, wantLines int) {
		t.Helper()
		pieces = nil
		if err := w.write(make([]flow.Record, records)); err != nil {
			t.Fatal(err)
		}
		for _, p := range pieces {
			if p != "" && !strings.HasSuffix(p, "\n") || len(p) > writeAt+1024 {
				t.Errorf("%d records: a piece of %d bytes ends with %q", records, len(p), tail(p, 20))
			}
		}
		if lines := strings.Count(strings.Join(pieces, ""), "\n"); lines != wantLines {
			t.Errorf("%d records: %d lines, want %d", records, lines, wantLines)
		}
	}
	f(2, 3)
	f(0, 0)
	f(20000, 20000)
	if len(pieces) < 2 {
		t.Errorf("%d pieces: the batch is too small to tell", len(pieces))
	}
}

// TestWriterOnTerminal writes a name that a terminal would obey: on a terminal it must not come out as it is.
func TestWriterOnTerminal(t *testing.T) {
	for _, name := range []string{"csv", "json", "netobserv", "table"} {
		user, terminal := testkit.OpenTerminal(t)
		enc, err := newEncoder(name)
		if err != nil {
			t.Fatal(err)
		}
		r := flow.Record{Fwd: flow.Volume{Bytes: 60, Packets: 1}, Iface: "eth0\x1b[2J\u009b2J", Node: "node\x07"}
		written := make(chan string)
		go func() {
			all, _ := io.ReadAll(user) // It ends with EIO when the terminal is closed.
			written <- string(all)
		}()
		if err := newWriter(terminal, enc).write([]flow.Record{r}); err != nil {
			t.Fatal(err)
		}
		terminal.Close()
		text := strings.ReplaceAll(<-written, "\r\n", "\n")
		if text == "" || printableLines(text) != text {
			t.Errorf("%s writes %q", name, text)
		}
	}
}
