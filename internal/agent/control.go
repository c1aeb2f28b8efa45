package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"
)

// ControlDir is where running agents have their control sockets, one each, for root alone.
const ControlDir = "/run/seine"

// Version is the version of this program as the build recorded it.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// ServeStatus answers every connection to a control socket with the status until the context ends.
func (a *Agent) ServeStatus(ctx context.Context) error {
	if err := os.MkdirAll(ControlDir, 0o700); err != nil {
		return fmt.Errorf("make the folder of control sockets: %w", err)
	}
	path := filepath.Join(ControlDir, fmt.Sprintf("agent-%s-%d.sock", filepath.Base(a.config.Node), os.Getpid()))
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("guard the control socket: %w", err), l.Close())
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil
		}
		a.answer(c)
	}
}

func (a *Agent) answer(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_ = json.NewEncoder(c).Encode(a.Status())
}

// ReadStatuses asks every agent that runs on this host. Sockets of dead ones are removed.
func ReadStatuses(ctx context.Context) ([]Status, error) {
	paths, err := filepath.Glob(filepath.Join(ControlDir, "agent-*.sock"))
	if err != nil {
		return nil, err
	}
	var out []Status
	for _, path := range paths {
		s, err := readStatus(ctx, path)
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("ask the agent: %w: run as root", err)
		}
		if err != nil {
			_ = os.Remove(path)
			continue
		}
		out = append(out, s)
	}
	return out, nil
}

func readStatus(ctx context.Context, path string) (s Status, err error) {
	d := net.Dialer{Timeout: 2 * time.Second}
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return s, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	return s, json.NewDecoder(c).Decode(&s)
}
