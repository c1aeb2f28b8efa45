package live

import (
	"slices"

	tea "charm.land/bubbletea/v2"
)

// maxFilter bounds the filter's text, in bytes.
const maxFilter = 200

// binding is what some keys do.
type binding struct {
	// keys are as bubbletea names them, shown how people do.
	keys  []string
	shown string
	// short stands in the last line, doc in the help.
	short, doc string
	do         func(*model) tea.Cmd
}

var bindings []binding

// The table and what its entries do refer to each other.
func init() {
	bindings = []binding{
		{[]string{"q", "ctrl+c"}, "q", "quit", "leave", quit},
		{[]string{"?"}, "?", "help", "show the keys and what the columns mean", change(func(m *model) { m.show(helpPane) })},
		{[]string{"enter"}, "enter", "details", "show all that is known of the selected row", change(func(m *model) { m.show(detailsPane) })},
		{[]string{"/"}, "/", "filter", "show only rows with these words in a name, address, port, protocol or interface", change(startFilter)},
		{[]string{"s"}, "s", "sort", "sort by rate, bytes, connections, recent, name in turn", change(func(m *model) { m.order = (m.order + 1) % len(orders) })},
		{[]string{"r"}, "r", "reverse", "reverse the order", change(func(m *model) { m.reverse = !m.reverse })},
		{[]string{"e"}, "e", "expand", "show each connection, or those of a client to a backend as one row", change(expand)},
		{[]string{"t"}, "t", "translated", "show only connections that were translated", change(func(m *model) { m.translated = !m.translated })},
		{[]string{"n"}, "n", "names", "show names or addresses", change(func(m *model) { m.addresses, m.need = !m.addresses, pathNeed{} })},
		{[]string{"p", "space"}, "p", "pause", "hold the picture (also space); counting goes on", change(pause)},
		{[]string{"up", "k"}, "↑ k", "", "select the row above, or scroll the help", change(func(m *model) { m.move(-1) })},
		{[]string{"down", "j"}, "↓ j", "", "select the row below, or scroll the help", change(func(m *model) { m.move(1) })},
		{[]string{"pgup"}, "PgUp", "", "a page up", change(func(m *model) { m.move(-m.page()) })},
		{[]string{"pgdown"}, "PgDn", "", "a page down", change(func(m *model) { m.move(m.page()) })},
		{[]string{"home", "g"}, "Home g", "", "to the first row, or line of the help", change(func(m *model) { m.move(-farthest) })},
		{[]string{"end", "G"}, "End G", "", "to the last row, or line of the help", change(func(m *model) { m.move(farthest) })},
		{[]string{"esc"}, "esc", "", "close the pane, else clear the filter, else the selection", change(back)},
	}
}

func quit(*model) tea.Cmd { return tea.Quit }

// change makes a binding of what only changes what is seen.
func change(f func(*model)) func(*model) tea.Cmd {
	return func(m *model) tea.Cmd {
		f(m)
		m.arrange()
		return nil
	}
}

// press does what a key is bound to.
func (m *model) press(k tea.KeyPressMsg) tea.Cmd {
	if m.typing {
		return m.edit(k)
	}
	name := k.String()
	for i := range m.toggles {
		if m.toggles[i].Key == name {
			return m.toggle(i)
		}
	}
	for i := range bindings {
		if slices.Contains(bindings[i].keys, name) {
			return bindings[i].do(m)
		}
	}
	return nil
}

// edit takes a key as part of the filter's text, which is in force as it is typed.
func (m *model) edit(k tea.KeyPressMsg) tea.Cmd {
	if k.Text != "" {
		m.write(k.Text)
		return nil
	}
	switch k.String() {
	case "ctrl+c":
		return tea.Quit
	case "enter":
		m.typing = false
	case "esc":
		m.typing = false
		m.search("")
	case "backspace":
		runes := []rune(m.text)
		m.search(string(runes[:max(0, len(runes)-1)]))
	case "ctrl+u":
		m.search("")
	}
	return nil
}

// write appends typed or pasted text to the filter's.
func (m *model) write(text string) {
	if more := typed(text); len(m.text)+len(more) <= maxFilter {
		m.search(m.text + more)
	}
}

func (m *model) search(text string) {
	if text == m.text {
		return
	}
	m.text, m.filter, m.need = text, newFilter(text), pathNeed{}
	m.arrange()
}

// startFilter begins to take the filter's text, which is to be seen at work.
func startFilter(m *model) {
	m.typing = true
	if m.pane == helpPane {
		m.pane = noPane
	}
}

// back leaves the innermost of what one can be in.
func back(m *model) {
	switch {
	case m.pane != noPane:
		m.pane = noPane
	case m.text != "":
		m.search("")
	default:
		m.selected, m.at = nil, 0
	}
}

// show opens a pane, or closes it if it is open.
func (m *model) show(p pane) {
	if m.pane == p {
		p = noPane
	}
	m.pane, m.helpTop = p, 0
	if p == detailsPane {
		m.move(0)
	}
}

// pause holds the picture. Both copies are taken, as the user may look at the other while it stands.
func pause(m *model) {
	m.paused = !m.paused
	if m.paused {
		m.copy(!m.single)
		return
	}
	m.refresh()
}

func expand(m *model) {
	m.single, m.selected, m.need = !m.single, nil, pathNeed{}
	if !m.paused {
		m.refresh()
	}
}
