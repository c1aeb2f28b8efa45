package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a pseudo-terminal of 120 columns and 40 lines (pty(7)).
func openTerminal(t *testing.T) (user, terminal *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	number, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}); err != nil {
		t.Fatal(err)
	}
	return user, terminal
}

// TestRunOnTerminal watches connections in the live view, and leaves it by its key and by a signal.
func TestRunOnTerminal(t *testing.T) {
	leave := map[string]func(p *running, user *os.File){
		"key":    func(_ *running, user *os.File) { _, _ = user.WriteString("q") },
		"signal": func(p *running, _ *os.File) { _ = p.Process.Signal(unix.SIGTERM) },
	}
	for name, leaving := range leave {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			user, terminal := openTerminal(t)
			p := &running{
				Cmd: exec.Command(program, "run", "--netns", s.node.Path, "--node", "seen", "--interval", "100ms"),
				t:   t, ended: make(chan struct{}),
			}
			p.Env = append(os.Environ(), "TERM=xterm-256color")
			p.Stdin, p.Stdout, p.Stderr = terminal, terminal, p.into(&p.errs)
			p.begin()
			terminal.Close() // So that only the program holds it.
			drawn := make(chan struct{})
			go func() {
				_, _ = io.Copy(p.into(&p.out), user) // It ends with EIO when the program has closed the terminal.
				close(drawn)
			}()
			p.awaitReady("seen")
			p.await("the connection on the screen", func() bool {
				s.talk(s.server, 1)
				out, _ := p.output()
				return strings.Contains(out, "10.77.0.2:7")
			})
			leaving(p, user)
			p.wait().check(t)
			<-drawn
			s.checkNothingLeft("seen")
		})
	}
}
