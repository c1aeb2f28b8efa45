package live

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// childVariable makes the test binary a program on a terminal, in place of the tests.
const childVariable = "LIVE_TEST_CHILD"

// imported is what every child writes first.
const imported = "imported\r\n"

var children = map[string]func() error{
	"import": func() error { return nil },
	"view": func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		v := New(Options{Title: "title"})
		v.Add([]flow.Record{simple(time.Now(), "a", true, 1, 10)})
		return v.Run(ctx)
	},
}

func TestMain(m *testing.M) {
	child := children[os.Getenv(childVariable)]
	if child == nil {
		os.Exit(m.Run())
	}
	fmt.Print(strings.TrimSpace(imported), "\n")
	if err := child(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// startChild starts a child on a terminal of its own that never answers; came is closed when the text is on it, and
// written gives all that was, when the child has ended.
func startChild(t *testing.T, name, text string, env ...string) (*os.File, <-chan struct{}, <-chan []byte) {
	t.Helper()
	user, terminal := testkit.OpenTerminal(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(env, "TERM=xterm-256color", childVariable+"="+name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	came := make(chan struct{})
	written := collect(user, text, came)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	terminal.Close()
	return user, came, written
}

// Every command of the binary imports the package, and must not talk to the terminal for that: one that does not
// answer would be waited for.
func TestImportingIsSilent(t *testing.T) {
	_, _, written := startChild(t, "import", imported)
	if got := string(<-written); got != imported {
		t.Errorf("a program that only imports the package writes %q, want %q", got, imported)
	}
}

const (
	// beat and maxBeats bound how long the first frame may take: less than the 5 s that terminal libraries wait for an
	// answer, and far more than the view needs. A stall comes each time, a busy machine does not.
	beat     = 100 * time.Millisecond
	maxBeats = 40
	attempts = 3
)

// beats counts until the text came.
func beats(came <-chan struct{}) int {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for n := range maxBeats {
		select {
		case <-came:
			return n
		case <-ticker.C:
		}
	}
	return maxBeats
}

// The view asks the terminal what it can do, and does not wait for the answers.
func TestMuteTerminalIsNotWaitedFor(t *testing.T) {
	for range attempts {
		user, came, written := startChild(t, "view", "10.0.0.2:80")
		n := beats(came)
		_, _ = user.WriteString("q")
		out := <-written
		if !strings.HasPrefix(string(out), imported) {
			t.Fatalf("%q comes before the program begins", out[:min(len(out), 40)])
		}
		if n < maxBeats {
			return
		}
	}
	t.Errorf("the connection is not on the screen after %v, in none of %d attempts", maxBeats*beat, attempts)
}

// NO_COLOR takes away the colours, with any value, and leaves what else tells rows apart.
func TestNoColor(t *testing.T) {
	colour, bold := regexp.MustCompile(`\x1b\[([0-9;]*;)?3[0-7][;m]`), regexp.MustCompile(`\x1b\[([0-9;]*;)?1[;m]`)
	f := func(want bool, env ...string) {
		t.Helper()
		user, came, written := startChild(t, "view", "10.0.0.2:80", env...)
		beats(came)
		_, _ = user.WriteString("q")
		out := <-written
		if got := colour.Match(out); got != want || !bold.Match(out) {
			t.Errorf("with %q: colour %v, want %v; bold %v, want true", env, got, want, bold.Match(out))
		}
	}
	f(true)
	f(true, "NO_COLOR=")
	f(false, "NO_COLOR=1")
	f(false, "NO_COLOR=yes")
}
