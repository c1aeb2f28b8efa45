package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/testkit"
)

// TestRunOnTerminal watches connections in the live view, and leaves it by its key and by a signal.
func TestRunOnTerminal(t *testing.T) {
	leave := map[string]func(p *running, user *os.File){
		"key":    func(_ *running, user *os.File) { _, _ = user.WriteString("q") },
		"signal": func(p *running, _ *os.File) { _ = p.Process.Signal(unix.SIGTERM) },
	}
	for name, leaving := range leave {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			user, terminal := testkit.OpenTerminal(t)
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
