package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ControlDir is where running agents have their control sockets, one each, for root alone.
const ControlDir = "/run/seine"

const (
	// answerTime bounds the sending of a status, statusTime the wait for one: an agent may be short of CPU.
	answerTime = 2 * time.Second
	statusTime = 15 * time.Second
	// maxNodeInPath keeps the path of a control socket below the 108 bytes that the kernel has room for (unix(7)).
	maxNodeInPath = 64
)

// ServeStatus answers every connection to a control socket with the status until the context ends. The version is that
// of the program. It removes the socket.
func (a *Agent) ServeStatus(ctx context.Context, version string) error {
	if err := os.MkdirAll(ControlDir, 0o700); err != nil {
		return fmt.Errorf("make the folder of control sockets: %w", err)
	}
	path := controlPath(a.config.Node)
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("open the control socket: %w", err)
	}
	defer l.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("guard the control socket: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil
		}
		a.answer(c, version)
	}
}

// controlPath is unique, as a process has one agent for each node that it watches.
func controlPath(node string) string {
	return filepath.Join(ControlDir, fmt.Sprintf("agent-%.*s-%d.sock", maxNodeInPath, strings.Map(inPath, node), os.Getpid()))
}

// inPath keeps of a name what is safe in a file's, one byte each.
func inPath(r rune) rune {
	if r > ' ' && r < 0x7f && r != '/' {
		return r
	}
	return '_'
}

func (a *Agent) answer(c net.Conn, version string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(answerTime))
	s := a.Status()
	s.Version = version
	s.Conntrack = ReadConntrack(a.config.NetNS)
	_ = json.NewEncoder(c).Encode(s)
}

// ReadStatuses asks every agent that runs on this host. Sockets of dead ones are removed. Beside an error it returns
// what the others answered.
func ReadStatuses(ctx context.Context) ([]Status, error) {
	entries, err := os.ReadDir(ControlDir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("look for agents: %w: run as root", err)
	case err != nil:
		return nil, fmt.Errorf("look for agents: %w", err)
	}
	var out []Status
	var errs []error
	for _, e := range entries {
		path := filepath.Join(ControlDir, e.Name())
		s, err := readStatus(ctx, path)
		switch {
		case err == nil:
			out = append(out, s)
		case errors.Is(err, syscall.ECONNREFUSED):
			_ = os.Remove(path) // Its agent was killed. Where it cannot be removed it does no harm.
		case !hasEnded(err):
			errs = append(errs, fmt.Errorf("ask the agent at %s: %w", path, err))
		}
	}
	return out, errors.Join(errs...)
}

// hasEnded tells whether an agent ended while it was asked.
func hasEnded(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

func readStatus(ctx context.Context, path string) (s Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return s, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(statusTime))
	return s, json.NewDecoder(c).Decode(&s)
}
