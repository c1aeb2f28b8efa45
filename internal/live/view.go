package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"github.com/seine-net/seine/internal/flow"
)

// Options say what a view shows beside the connections, and where.
type Options struct {
	// Title names what is watched.
	Title string
	// Summary tells how the capture is; nil leaves the line out. It is called each second from a goroutine of the
	// view's, never twice at a time.
	Summary func() Summary
	// Toggles are switches that the user may throw.
	Toggles []Toggle
	// Output and Input are the terminal: os.Stdout and os.Stdin where nil. Output must be a terminal, see [IsTerminal].
	Output, Input *os.File
}

// Summary tells how the capture is.
type Summary struct {
	// Coverage is the share of the interfaces' bytes that the records account for; negative while unknown.
	Coverage float64
	// MapUse is how full the flow map is, from 0 to 1.
	MapUse float64
	// Losses counts what is missing in the records, by reason. Reasons with a count of 0 may be among them.
	Losses []Loss
	// Degraded names, in a few words each, the features that are off or work by a lesser means.
	Degraded []string
}

// Loss is a number of packets, or events, that are in no record.
type Loss struct {
	Reason string
	Count  uint64
}

// Toggle is a switch, such as a fault of the demo.
type Toggle struct {
	// Key is the one character that throws it: a digit, or a letter that the view does not use.
	Key string
	// Name is shown beside the key, Doc in the help.
	Name, Doc string
	// Set throws the switch and returns when that is done; its error is shown. It is called from a goroutine of the
	// view's, and not again before it has returned.
	Set func(on bool) error
}

// View is a live table of connections.
type View struct {
	options Options
	table   *table
	now     func() time.Time
}

// New returns a view without connections. It does not touch the terminal before Run.
func New(o Options) *View {
	if o.Output == nil {
		o.Output = os.Stdout
	}
	if o.Input == nil {
		o.Input = os.Stdin
	}
	return &View{options: o, table: newTable(maxRows), now: time.Now}
}

// IsTerminal tells whether a view can be drawn on the file: a terminal that knows how to place the cursor.
func IsTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// Add adds records of one node or several, an interval's in one batch or in several at once; rates are what came since
// the interval before, so that one without records should be added as well. The batch stays the caller's. Any goroutine may call Add, also
// before Run and after; it never waits for the terminal.
func (v *View) Add(batch []flow.Record) { v.table.add(v.now(), batch) }

// framesPerSecond bounds how often keys change the screen; data changes it at most once in refreshEvery.
const framesPerSecond = 20

// Run shows the view until the user leaves or the context ends, and returns nil then. The terminal is restored
// however it ends, also by a panic in the view, in Summary or in a Toggle, which becomes an error.
func (v *View) Run(ctx context.Context) error {
	program := tea.NewProgram(newModel(v),
		tea.WithContext(ctx), tea.WithInput(v.options.Input), tea.WithOutput(v.options.Output),
		tea.WithColorProfile(colours()), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond))
	_, err := program.Run()
	if err == nil || ctx.Err() != nil && !errors.Is(err, tea.ErrProgramPanic) {
		return nil
	}
	return fmt.Errorf("draw the live view: %w", err)
}

// colours says what the terminal can show, by the environment alone: bubbletea would start `tmux info` in a tmux. It
// keeps to https://no-color.org, so that NO_COLOR takes the colours away, whatever its value, and leaves bold and
// reverse.
func colours() colorprofile.Profile {
	if os.Getenv("NO_COLOR") != "" {
		return colorprofile.ASCII
	}
	return colorprofile.Env(os.Environ())
}
