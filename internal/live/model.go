package live

import (
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
)

const (
	// refreshEvery is how often new records may change the screen.
	refreshEvery = 250 * time.Millisecond
	// workShare bounds the share of a core that redraws for new records take, to one in so many, however large the table
	// is and however slow the machine.
	workShare = 40
	// summaryEvery is how often the caller is asked how the capture is, and ages are drawn anew.
	summaryEvery = time.Second
	// noticeFor is how long a notice stands in the last line.
	noticeFor = 6 * time.Second
)

// pane is what is shown in place of the list, or below it.
type pane int

const (
	noPane pane = iota
	detailsPane
	helpPane
)

// model is the state of the view that the user sees. Only bubbletea's event loop uses it.
type model struct {
	options Options
	table   *table
	clock   func() time.Time
	styles  *styles

	width, height int
	// copies has the rows as of now, put together and single; the one that is not shown only while paused. took is how
	// long it took to make and draw the one shown.
	copies [2][]row
	now    time.Time
	took   time.Duration
	totals totals
	seen   uint64
	// list is what passes, sorted.
	list []*row
	need pathNeed

	order                   int
	reverse, single, paused bool
	addresses, translated   bool
	filter                  *filter
	text                    string
	typing                  bool
	pane                    pane
	// at is the selected line and selected its row, if the user selected one; top is the first line shown.
	at, top  int
	selected *key
	// helpTop is the first line of the help that is shown.
	helpTop int

	summary    Summary
	hasSummary bool
	asking     bool
	asked      time.Time
	toggles    []toggle
	notice     string
	noticed    time.Time
	began      time.Time
	frame      string
}

// toggle is a switch's state.
type toggle struct {
	Toggle
	on, busy bool
}

func newModel(v *View) *model {
	m := &model{
		options: v.options, table: v.table, clock: v.now, filter: newFilter(""), styles: &terminalStyles,
		now: v.now(), began: v.now(),
	}
	for _, t := range v.options.Toggles {
		m.toggles = append(m.toggles, toggle{Toggle: t})
	}
	return m
}

type (
	tickMsg    struct{}
	summaryMsg Summary
	toggledMsg struct {
		at  int
		on  bool
		err error
	}
	panicMsg string
)

func tick() tea.Cmd { return tea.Tick(refreshEvery, func(time.Time) tea.Msg { return tickMsg{} }) }

// guarded hands a panic of the caller's functions to the event loop, which restores the terminal before it prints it.
func guarded(f func() tea.Msg) tea.Cmd {
	return func() (msg tea.Msg) {
		defer func() {
			if r := recover(); r != nil {
				msg = panicMsg(fmt.Sprintf("%v\n\n%s", r, debug.Stack()))
			}
		}()
		return f()
	}
}

// Init starts the clock.
func (m *model) Init() tea.Cmd { return tea.Batch(tick(), m.ask()) }

// View returns the frame as it was last drawn; Update draws.
func (m *model) View() tea.View { return tea.View{Content: m.frame, AltScreen: true} }

// Update takes a message and draws if it changed anything.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tickMsg:
		return m, tea.Batch(m.tick(), tick())
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.need = pathNeed{}
	case tea.KeyPressMsg:
		cmd = m.press(msg)
	case tea.PasteMsg: // Where no text is asked for, pasted text is not a row of commands.
		if m.typing {
			m.write(msg.Content)
		}
	case summaryMsg:
		m.summary, m.hasSummary, m.asking = Summary(msg), true, false
		return m, nil // The next tick draws it.
	case toggledMsg:
		m.toggled(msg)
	case panicMsg:
		panic(string(msg))
	}
	m.draw()
	return m, cmd
}

// tick draws if records came, and each second for the ages.
func (m *model) tick() tea.Cmd {
	now := m.clock()
	second := now.Sub(m.asked) >= summaryEvery
	if m.notice != "" && now.Sub(m.noticed) > noticeFor {
		m.notice = ""
	}
	changed := !m.paused && m.table.changes() != m.seen && now.Sub(m.now) >= workShare*m.took
	if changed || second {
		m.refresh()
		m.draw()
		m.took = m.clock().Sub(now)
	}
	if second {
		return m.ask()
	}
	return nil
}

// ask asks for the summary, unless the last one is still awaited.
func (m *model) ask() tea.Cmd {
	m.asked = m.clock()
	if m.options.Summary == nil || m.asking {
		return nil
	}
	m.asking = true
	return guarded(func() tea.Msg { return summaryMsg(m.options.Summary()) })
}

func (m *model) toggle(at int) tea.Cmd {
	t := &m.toggles[at]
	if t.busy {
		return nil
	}
	t.busy = true
	set, on := t.Set, !t.on
	return guarded(func() tea.Msg { return toggledMsg{at, on, set(on)} })
}

func (m *model) toggled(msg toggledMsg) {
	t := &m.toggles[msg.at]
	t.busy = false
	if msg.err != nil {
		m.say(fmt.Sprintf("%s: %v", t.Name, msg.err))
		return
	}
	t.on = msg.on
}

func (m *model) say(text string) { m.notice, m.noticed = printable(text), m.clock() }

// refresh copies what is to be seen, unless the view is paused.
func (m *model) refresh() {
	if m.paused {
		return
	}
	m.now = m.clock()
	m.seen = m.table.changes()
	m.totals = m.table.totals(m.now)
	m.copy(m.single)
	m.arrange()
}

func (m *model) copy(single bool) {
	rows := &m.copies[index(single)]
	*rows = m.table.copyRows((*rows)[:0], m.now, single)
}

func index(single bool) int {
	if single {
		return 1
	}
	return 0
}

// arrange makes the list anew and keeps the selection on its row, and that on its line where the list is scrolled.
func (m *model) arrange() {
	pass := func(r *row) bool { return (!m.translated || translated(r)) && m.filter.match(r) }
	m.list = arrange(m.list[:0], m.copies[index(m.single)], pass, orders[m.order], m.reverse)
	if m.selected != nil {
		if at := slices.IndexFunc(m.list, func(r *row) bool { return r.key == *m.selected }); at >= 0 {
			if m.top > 0 { // At the top it is the first rows that are looked at.
				m.top = max(1, m.top+at-m.at)
			}
			m.at = at
		}
	}
	m.at = max(0, min(m.at, len(m.list)-1))
}

// current returns the selected row, nil if there is none.
func (m *model) current() *row {
	if m.at >= len(m.list) {
		return nil
	}
	return m.list[m.at]
}

// farthest is more than the rows of any list.
const farthest = 1 << 30

// move selects another row, or scrolls the help while that hides the rows.
func (m *model) move(by int) {
	if m.pane == helpPane {
		m.helpTop = max(0, m.helpTop+by)
		return
	}
	m.at = max(0, min(m.at+by, len(m.list)-1))
	m.selected = nil
	if r := m.current(); r != nil {
		k := r.key
		m.selected = &k
	}
}
