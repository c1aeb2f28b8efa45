package live

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// paint is a style as what a terminal wants before and after the text. Rendering a style costs many times what
// appending a short text does, so it is done once.
type paint struct{ open, close string }

func newPaint(s lipgloss.Style) paint {
	open, end, _ := strings.Cut(s.Render("x"), "x")
	return paint{open, end}
}

func (p paint) append(dst []byte, text string) []byte {
	return append(append(append(dst, p.open...), text...), p.close...)
}

// styles are all that the view uses. The colours are of the terminal's own sixteen, and those that its themes keep
// legible on dark and on light grounds: no white, black, grey or yellow.
type styles struct {
	plain, bold, faint, title, selected, warn, alarm, good paint
	client, dialled, backend, spark                        paint
}

// newStyles makes the styles that the renderer's terminal can show: none where it is no terminal or NO_COLOR is set.
func newStyles(r *lipgloss.Renderer) *styles {
	s := r.NewStyle
	colour := func(code string) lipgloss.Style { return s().Foreground(lipgloss.Color(code)) }
	return &styles{
		plain: paint{}, bold: newPaint(s().Bold(true)), faint: newPaint(s().Faint(true)),
		title: newPaint(s().Bold(true).Reverse(true)), selected: newPaint(s().Reverse(true)),
		warn: newPaint(colour("5")), alarm: newPaint(colour("1").Bold(true)), good: newPaint(colour("2")),
		client: paint{}, dialled: newPaint(colour("6")), backend: newPaint(colour("2")), spark: newPaint(colour("4")),
	}
}
