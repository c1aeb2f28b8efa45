package live

// paint is a style as what a terminal wants before and after the text.
type paint struct{ open, close string }

// sgr returns the style of ECMA-48's "select graphic rendition" parameters.
func sgr(parameters string) paint { return paint{"\x1b[" + parameters + "m", "\x1b[m"} }

func (p paint) append(dst []byte, text string) []byte {
	return append(append(append(dst, p.open...), text...), p.close...)
}

// styles are all that the view uses.
type styles struct {
	plain, bold, faint, title, selected, warn, alarm, good paint
	client, dialled, backend, spark                        paint
}

// terminalStyles are what the view draws with; bubbletea leaves out what the terminal cannot show. The colours are of
// the terminal's own sixteen, and those that its themes keep legible on dark and on light grounds: no white, black,
// grey or yellow.
var terminalStyles = styles{
	bold: sgr("1"), faint: sgr("2"), title: sgr("1;7"), selected: sgr("7"),
	warn: sgr("35"), alarm: sgr("1;31"), good: sgr("32"),
	dialled: sgr("36"), backend: sgr("32"), spark: sgr("34"),
}
