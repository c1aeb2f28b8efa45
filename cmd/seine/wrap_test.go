package main

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/testkit"
)

func TestWrapped(t *testing.T) {
	f := func(text string, width int, want ...string) {
		t.Helper()
		if got := wrapped(text, width); !slices.Equal(got, want) {
			t.Errorf("%q in %d: %q, want %q", text, width, got, want)
		}
	}
	f("shop/frontend → cart: 33 % of connects", 0, "shop/frontend → cart: 33 % of connects")
	f("shop/frontend → cart: 33 % of connects", 25, "shop/frontend → cart:", "33 % of connects")
	f("of connects 33 % fail", 14, "of connects", "33 % fail")
	f("a payments-kd2wvpp4c-6rd8p b", 10, "a", "payments-kd2wvpp4c-6rd8p", "b")
	f("", 10, "")
}

func TestFitting(t *testing.T) {
	column := func(title string) blockColumn {
		return blockColumn{title: title, text: func(*query.Block, int) string { return "cell" }}
	}
	all := []blockColumn{column("CLIENT"), column("SERVER"), column("FAILED"), column("TRAFFIC")}
	f := func(width, want int) {
		t.Helper()
		if got := len(fitting(all, &query.Block{Rows: 1}, width)); got != want {
			t.Errorf("%d columns fit into %d, want %d", got, width, want)
		}
	}
	f(0, 4)
	f(31, 4)
	f(30, 3)
	f(22, 3)
	f(21, 2)
	f(3, 2)
}

// escapes are what colours a terminal (ECMA-48, SGR).
var escapes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// TestHealthOnTerminals expects lines no longer than the terminal, broken at words, and the sentence whole.
func TestHealthOnTerminals(t *testing.T) {
	s := serve(t)
	s.feed(refusedRecords())
	for _, width := range []int{60, 80, 120} {
		user, terminal := testkit.OpenTerminal(t)
		if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: uint16(width)}); err != nil {
			t.Fatal(err)
		}
		p := &running{Cmd: exec.Command(program, "health", "--api", s.api), t: t, ended: make(chan struct{})}
		p.Stdin, p.Stdout, p.Stderr = terminal, terminal, p.into(&p.errs)
		p.begin()
		terminal.Close()
		var text strings.Builder
		buffer := make([]byte, 4096)
		for {
			n, err := user.Read(buffer) // It ends with EIO when the program has closed the terminal.
			text.Write(buffer[:n])
			if err != nil {
				break
			}
		}
		if got := p.wait(); got.code != 0 {
			t.Errorf("exit code %d, errors %q", got.code, got.errs)
		}
		plain := strings.ReplaceAll(escapes.ReplaceAllString(text.String(), ""), "\r\n", "\n")
		for line := range strings.Lines(plain) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("a line of %d on a terminal of %d: %q", n, width, line)
			}
		}
		const sentence = "critical shop/frontend → cart: 33 % of connects are refused (10 of 30)"
		if !strings.Contains(strings.Join(strings.Fields(plain), " "), sentence) {
			t.Errorf("on a terminal of %d: %q, want %q", width, plain, sentence)
		}
	}
}
