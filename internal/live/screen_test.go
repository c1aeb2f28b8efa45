package live

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/flow"
)

var (
	update    = flag.Bool("update", false, "write the screens in testdata anew")
	errBroken = errors.New("load rules: refused")
)

func TestScreens(t *testing.T) {
	lossy := healthy
	lossy.Summary = func() Summary {
		return Summary{Coverage: 0.91, MapUse: 0.97, Losses: []Loss{{"ring_full", 12345}, {"map_full", 7}}}
	}
	for _, c := range []struct {
		name    string
		w, h    int
		options Options
		act     func(*stage)
	}{
		{"list", 80, 24, healthy, func(s *stage) { s.play(4) }},
		{"list", 120, 40, healthy, func(s *stage) { s.play(4) }},
		{"list", 200, 50, healthy, func(s *stage) { s.play(4) }},
		{"list", 40, 10, healthy, func(s *stage) { s.play(4) }},
		{"selected", 80, 12, healthy, func(s *stage) { s.play(4); s.press("G") }},
		{"details", 80, 24, healthy, func(s *stage) { s.play(4); s.press("enter") }},
		{"details", 120, 40, healthy, func(s *stage) { s.play(4); s.press("j", "enter") }},
		{"details-estimated", 120, 40, healthy, func(s *stage) { s.play(4); s.press("/", "kafka", "enter", "enter") }},
		{"details-ping", 120, 40, healthy, func(s *stage) { s.play(4); s.press("/", "icmp", "enter", "e", "enter") }},
		{"help", 120, 40, healthy, func(s *stage) { s.play(1); s.press("?") }},
		{"help", 80, 24, healthy, func(s *stage) { s.play(1); s.press("?") }},
		{"help-end", 80, 24, healthy, func(s *stage) { s.play(1); s.press("?", "pgdown", "end") }},
		{"demo", 80, 24, demoLike, func(s *stage) { s.playDemo(3) }},
		{"demo", 100, 24, demoLike, func(s *stage) { s.playDemo(3) }},
		{"demo", 120, 24, demoLike, func(s *stage) { s.playDemo(3) }},
		{"demo-by-bytes", 100, 24, demoLike, func(s *stage) { s.playDemo(3); s.press("s") }},
		{"demo-selected", 80, 8, demoLike, func(s *stage) { s.playDemo(3); s.press("G") }},
		{"demo-help", 80, 24, demoLike, func(s *stage) { s.playDemo(1); s.press("?", "pgdown") }},
		{"expanded", 120, 40, healthy, func(s *stage) { s.play(2); s.press("e") }},
		{"addresses", 120, 40, healthy, func(s *stage) { s.play(2); s.press("n") }},
		{"filter", 120, 40, healthy, func(s *stage) { s.play(2); s.press("/", "Cart", " ", "tcp") }},
		{"translated-by-name-reversed", 120, 40, healthy, func(s *stage) { s.play(2); s.press("t", "s", "s", "s", "s", "r") }},
		{"paused", 120, 40, healthy, func(s *stage) { s.play(2); s.press("p"); s.play(2) }},
		{"toggles", 120, 40, healthy, func(s *stage) { s.play(1); s.press("1", "2") }},
		{"losses", 80, 24, lossy, func(s *stage) { s.play(2) }},
		{"waiting", 80, 24, healthy, func(s *stage) { s.pass(time.Second) }},
		{"waiting-long", 80, 24, healthy, func(s *stage) { s.pass(11 * time.Second) }},
		{"nothing-matches", 80, 24, healthy, func(s *stage) { s.play(1); s.press("/", "nowhere", "enter") }},
		{"idle", 120, 40, healthy, func(s *stage) { s.play(3); s.pass(31 * time.Second) }},
	} {
		t.Run(fmt.Sprintf("%s-%dx%d", c.name, c.w, c.h), func(t *testing.T) {
			s := newStage(t, c.options)
			s.size(c.w, c.h)
			c.act(s)
			s.model.draw()
			checkShape(t, s.frame(), c.w, c.h)
			golden(t, fmt.Sprintf("%s-%dx%d.txt", c.name, c.w, c.h), s.frame())
			s.model.styles = &terminalStyles
			s.model.draw()
			coloured := s.frame()
			if !strings.Contains(coloured, "\x1b[") {
				t.Error("there is no colour")
			}
			if diff := cmp.Diff(s.plain(), ansi.Strip(coloured)); diff != "" {
				t.Errorf("colours change the text (- without, + with):\n%s", diff)
			}
		})
	}
}

func (s *stage) plain() string {
	s.model.styles = &styles{}
	s.model.draw()
	return s.frame()
}

// checkShape makes sure that a frame fills the terminal's lines exactly and none is wider.
func checkShape(t *testing.T, frame string, w, h int) {
	t.Helper()
	lines := strings.Split(frame, "\n")
	if len(lines) != h {
		t.Errorf("the frame has %d lines, want %d", len(lines), h)
	}
	for i, line := range lines {
		if got := ansi.StringWidth(line); got > w {
			t.Errorf("line %d is %d wide, want at most %d: %q", i, got, w, line)
		}
	}
}

func golden(t *testing.T, name, frame string) {
	t.Helper()
	var trimmed strings.Builder
	for line := range strings.Lines(frame + "\n") {
		trimmed.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(trimmed.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), trimmed.String()); diff != "" {
		t.Errorf("the screen differs from %s; if that is meant, run go test -update:\n%s", file, diff)
	}
}

// Whatever the size, a frame fits, and nothing panics.
func TestEverySize(t *testing.T) {
	s := newStage(t, healthy)
	s.play(3)
	for _, pane := range []string{"", "enter", "?"} {
		if pane != "" {
			s.press(pane)
		}
		for w := 1; w <= 130; w += 3 {
			for h := 1; h <= 42; h++ {
				s.size(w, h)
				checkShape(t, s.frame(), w, h)
			}
		}
	}
}

// What has no room above and below the rows is left out whole, also the titles of columns.
func TestNothingIsCutAroundTheRows(t *testing.T) {
	for _, o := range []Options{healthy, demoLike} {
		s := newStage(t, o)
		s.playDemo(2)
		for _, keys := range [][]string{nil, {"s"}, {"e"}, {"t"}, {"p"}} {
			s.press(keys...)
			for w := leastWidth; w <= 130; w++ {
				s.size(w, 24)
				lines := strings.Split(s.frame(), "\n")
				for _, line := range append(lines[:headerLines:headerLines], lines[len(lines)-1]) {
					if strings.Contains(line, "…") {
						t.Fatalf("%d wide, after %q: %q is cut", w, keys, line)
					}
				}
				if strings.Contains(lines[titlesLine], "SENT") != strings.Contains(lines[titlesLine], "RECEIVED") {
					t.Fatalf("%d wide: one of a pair: %q", w, lines[titlesLine])
				}
			}
		}
	}
}

func TestOneConnection(t *testing.T) {
	s := newStage(t, healthy)
	s.size(120, 24)
	for range 2 {
		s.now = s.now.Add(time.Second)
		s.view.Add(deployed(s.now)[:1])
		s.send(s.model.tick())
	}
	if !strings.Contains(s.frame(), " 1 active connection ") {
		t.Errorf("want “1 active connection”:\n%s", s.frame())
	}
}

func TestNothingObeysNames(t *testing.T) {
	const evil = "a\x1b[2Jb\x07\nc\r\td\u202ee\x9bf\xff\u0085"
	s := newStage(t, Options{
		Title:   evil,
		Summary: func() Summary { return Summary{Losses: []Loss{{evil, 1}}, Degraded: []string{evil}} },
		Toggles: []Toggle{{Key: "1", Name: evil, Doc: evil, Set: func(bool) error { return errors.New(evil) }}},
	})
	s.size(200, 60)
	who := flow.Identity{Namespace: evil, Name: evil, Node: evil, Zone: evil, Workload: flow.Workload{Kind: evil, Name: evil}}
	r := record(s.now, flow.TCP, endpoint("10.0.0.1:1", who), endpoint("10.0.0.2:2", who), endpoint("10.0.0.3:3", who), 1, 1)
	r.Node, r.Iface = evil, evil
	s.view.Add([]flow.Record{r})
	for _, keys := range [][]string{{}, {"enter"}, {"?"}, {"esc", "1"}, {"/", evil}, {"enter", "esc", "/", "nothing" + evil}} {
		s.press(keys...)
		s.pass(time.Second)
		checkShape(t, s.frame(), 200, 60)
		for _, c := range s.frame() {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Fatalf("after %q: %q reaches the terminal", keys, c)
			}
		}
	}
}
