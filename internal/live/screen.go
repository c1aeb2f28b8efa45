package live

import (
	"fmt"
	"strings"
)

// segment is a piece of a line with its style.
type segment struct {
	text  string
	style paint
}

// screen collects the lines of a frame, each not wider than the terminal.
type screen struct {
	*model
	out   []byte
	lines int
}

// end closes a line.
func (s *screen) end() {
	s.out = append(s.out, '\n')
	s.lines++
}

// line writes segments in a line and drops what does not fit.
func (s *screen) line(segments ...segment) {
	left := s.width
	for _, g := range segments {
		text := clip(g.text, left)
		left -= width(text)
		s.out = g.style.append(s.out, text)
		if left <= 0 {
			break
		}
	}
	s.end()
}

// fill writes empty lines up to a number of lines.
func (s *screen) fill(lines int) {
	for s.lines < lines {
		s.end()
	}
}

// leastWidth and leastHeight are the smallest terminal on which there is something to see.
const (
	leastWidth  = 24
	leastHeight = 7
)

// draw makes the frame.
func (m *model) draw() {
	if m.width <= 0 || m.height <= 0 {
		return
	}
	s := &screen{model: m, out: make([]byte, 0, len(m.frame)+4096)}
	if m.width < leastWidth || m.height < leastHeight {
		s.line(segment{fmt.Sprintf("at least %d × %d, please", leastWidth, leastHeight), m.styles.bold})
		s.fill(m.height)
		m.frame = cut(string(s.out), m.height)
		return
	}
	bottom := s.footer()
	body := m.height - len(bottom)
	if end := m.listEnd(body); end > 0 {
		m.scroll(end)
		s.header(m.top)
		s.list(end)
		s.fill(end)
	} else {
		s.header(0)
	}
	switch {
	case m.pane == helpPane:
		s.help()
	case m.pane == detailsPane && m.current() != nil:
		s.details(m.current())
	}
	s.fill(body)
	for _, segments := range bottom {
		s.line(segments...)
	}
	m.frame = cut(string(s.out), m.height)
}

// cut keeps as many lines as the terminal has.
func cut(frame string, lines int) string {
	at := 0
	for range lines {
		next := strings.IndexByte(frame[at:], '\n')
		if next < 0 {
			return frame
		}
		at += next + 1
	}
	return frame[:at-1]
}
