package live

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// selectedPath returns the selected row in words.
func (s *stage) selectedPath() string {
	r := s.model.current()
	if r == nil {
		return ""
	}
	p := pathOf(r, true)
	return strings.Join(p.ends[:], " ")
}

func TestKeysAreUnique(t *testing.T) {
	taken := make(map[string]string)
	for _, b := range bindings {
		for _, k := range b.keys {
			if taken[k] != "" {
				t.Errorf("key %q does both: %s; %s", k, taken[k], b.doc)
			}
			taken[k] = b.doc
		}
	}
}

func TestRanks(t *testing.T) {
	var have [maxRank + 1]bool
	for _, c := range columns {
		have[c.rank] = true
	}
	for rank, ok := range have {
		if !ok {
			t.Errorf("no column has rank %d", rank)
		}
	}
}

// The help takes the keys that move, so that its end is reached and the selection behind it stays.
func TestHelpScrolls(t *testing.T) {
	s := newStage(t, healthy)
	s.size(80, 24)
	s.play(2)
	s.press("j", "?")
	before := s.selectedPath()
	last := legend[len(legend)-1][0]
	for _, keys := range [][]string{{"end"}, {"home", "pgdown", "pgdown", "pgdown"}, {"home", "G"}} {
		s.press(keys...)
		if !strings.Contains(s.frame(), "\n "+last) {
			t.Errorf("after %q: %q is not on the screen:\n%s", keys, last, s.frame())
		}
	}
	s.press("home", "2", "end") // The error that switch 2 shows takes the place of the keys.
	if !strings.Contains(s.frame(), "\n "+last) || !strings.Contains(s.frame(), errBroken.Error()) {
		t.Errorf("with a notice, %q is not on the screen:\n%s", last, s.frame())
	}
	s.press("up", "home")
	if !strings.Contains(s.frame(), "── keys ") {
		t.Errorf("the help does not scroll back:\n%s", s.frame())
	}
	if after := s.selectedPath(); after != before {
		t.Errorf("scrolling the help moves the selection from %q to %q", before, after)
	}
	s.press("/")
	if s.model.pane != noPane {
		t.Error("the help hides what the filter does")
	}
}

// However the list moves, it is told how many rows are above it.
func TestRowsAboveAreTold(t *testing.T) {
	s := newStage(t, healthy)
	s.size(80, 9)
	s.play(3)
	s.press("e", "end")
	want := "▲ " + counted(uint64(s.model.top), "row") + " above"
	if s.model.top == 0 || !strings.Contains(s.frame(), want) {
		t.Errorf("top %d: there is no %q:\n%s", s.model.top, want, s.frame())
	}
	s.press("home")
	if strings.Contains(s.frame(), "▲") {
		t.Errorf("at the top:\n%s", s.frame())
	}
}

func TestQuit(t *testing.T) {
	for _, keys := range [][]string{{"q"}, {"ctrl+c"}, {"/", "ctrl+c"}} {
		s := newStage(t, healthy)
		s.size(80, 24)
		s.press(keys[:len(keys)-1]...)
		_, cmd := s.model.Update(keyMsg(keys[len(keys)-1]))
		if cmd == nil || cmd() != tea.Quit() {
			t.Errorf("keys %q do not quit", keys)
		}
	}
}

// The selection stays on its row while the order changes around it.
func TestSelectionFollowsItsRow(t *testing.T) {
	s := newStage(t, healthy)
	s.size(120, 40)
	s.play(2)
	s.press("j", "j")
	want := s.selectedPath()
	for _, key := range []string{"s", "s", "r", "s", "s", "n"} {
		s.press(key)
		if got := s.selectedPath(); got != want {
			t.Fatalf("after %q: %q is selected, want %q", key, got, want)
		}
	}
	s.press("home")
	if s.model.at != 0 {
		t.Errorf("home selects line %d", s.model.at)
	}
}

// Where the list is scrolled the selected row stays on its line of the screen.
func TestSelectionStaysOnItsLine(t *testing.T) {
	s := newStage(t, healthy)
	s.size(100, 9)
	s.play(3)
	s.press("e")
	for range len(s.model.list) / 2 {
		s.press("j")
	}
	line, moved := s.model.at-s.model.top, 0
	for _, key := range []string{"s", "s", "s", "s", "s"} {
		before := s.model.at
		s.press(key)
		s.frame()
		if page := s.model.page(); s.model.at < page || s.model.at > len(s.model.list)-page {
			line = s.model.at - s.model.top // There is no room.
			continue
		}
		if got := s.model.at - s.model.top; got != line {
			t.Errorf("after %q: on line %d, was on %d", key, got, line)
		}
		if s.model.at != before {
			moved++
		}
	}
	if moved == 0 {
		t.Error("the row never moved: the test is void")
	}
}

// The selected line is always on the screen.
func TestSelectionIsVisible(t *testing.T) {
	s := newStage(t, healthy)
	s.size(100, 9)
	s.play(3)
	s.press("e")
	for _, key := range []string{"end", "pgup", "up", "down", "home", "pgdown", "pgdown", "enter", "j", "j"} {
		s.press(key)
		if s.model.pane == noPane && !strings.Contains(s.frame(), "▌") {
			t.Fatalf("after %q the selected line is not on the screen:\n%s", key, s.frame())
		}
	}
}

func TestFilter(t *testing.T) {
	s := newStage(t, healthy)
	s.size(120, 40)
	s.play(2)
	f := func(text string, want int) {
		t.Helper()
		s.press("esc", "esc", "/", "ctrl+u", text, "enter")
		if got := len(s.model.list); got != want {
			t.Errorf("filter %q: %d rows, want %d", text, got, want)
		}
	}
	f("", 6)
	f("shop/cart", 1)
	f("CART", 1)
	f("udp", 1)
	f("tcp6", 1)
	f(":30080", 1)
	f("10.96.0.10", 1)
	f("eth0", 1)
	f("icmp payments", 1)
	f("10.244.1.1:12345", 1)
	f("icmp udp", 0)
	s.press("esc")
	if s.model.text != "" || len(s.model.list) != 6 {
		t.Errorf("esc leaves filter %q and %d rows", s.model.text, len(s.model.list))
	}
}

func TestFilterIsBounded(t *testing.T) {
	s := newStage(t, healthy)
	s.press("/")
	for range 100 {
		s.press("0123456789")
	}
	if got := len(s.model.text); got > maxFilter {
		t.Errorf("the filter has %d bytes, want at most %d", got, maxFilter)
	}
	s.press("backspace", "ctrl+u")
	if s.model.text != "" {
		t.Errorf("the filter is %q after ctrl+u", s.model.text)
	}
}

// Pasted text belongs to the filter while it is typed; else it must not be taken for keys.
func TestPaste(t *testing.T) {
	s := newStage(t, healthy)
	s.size(120, 40)
	s.play(1)
	paste := func(text string) { _, cmd := s.model.Update(tea.PasteMsg{Content: text}); s.send(cmd) }
	before := s.frame()
	paste("esq?")
	if s.frame() != before {
		t.Error("pasted text works like keys")
	}
	s.press("/")
	paste("ca\nrt\x1b")
	if s.model.text != "cart" {
		t.Errorf("the filter is %q, want what is printable of the pasted text, %q", s.model.text, "cart")
	}
}

func TestPauseHoldsThePicture(t *testing.T) {
	s := newStage(t, healthy)
	s.size(120, 40)
	s.play(2)
	s.press("p")
	held := s.frame()
	s.play(3)
	if s.frame() != held {
		t.Error("the picture changes while it is paused")
	}
	s.press("e")
	if len(s.model.list) != 6*2+4 {
		t.Errorf("%d single connections while paused, want those of before, %d", len(s.model.list), 6*2+4)
	}
	s.press("e", " ")
	if s.frame() == held || s.model.totals.batches != 5 {
		t.Error("the picture does not go on")
	}
}

func TestToggles(t *testing.T) {
	var calls []bool
	o := healthy
	o.Toggles = append([]Toggle{{Key: "9", Name: "nine", Set: func(on bool) error { calls = append(calls, on); return nil }}}, o.Toggles...)
	s := newStage(t, o)
	s.size(120, 40)
	s.press("9", "9", "9")
	if len(calls) != 3 || !calls[0] || calls[1] || !calls[2] {
		t.Errorf("calls are %v, want true, false, true", calls)
	}
	s.press("2")
	if s.model.toggles[2].on || !strings.Contains(s.frame(), errBroken.Error()) {
		t.Error("an error is not shown, or the switch is on in spite of it")
	}
	s.pass(noticeFor + time.Second)
	if strings.Contains(s.frame(), errBroken.Error()) {
		t.Error("the error does not go")
	}
}
