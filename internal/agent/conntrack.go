package agent

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Conntrack tells of the kernel's connection tracking in one network namespace.
type Conntrack struct {
	State ConntrackState `json:"state"`
	// Entries is the number of connections tracked.
	Entries int `json:"entries"`
	// Why says why the state is not known.
	Why string `json:"why,omitempty"`
}

// ConntrackState tells what connection tracking does.
type ConntrackState string

// The states of conntrack. It tracks nothing in a namespace as long as no rule there needs it.
const (
	ConntrackUnknown   ConntrackState = "unknown"
	ConntrackNotLoaded ConntrackState = "not loaded"
	ConntrackIdle      ConntrackState = "idle"
	ConntrackTracking  ConntrackState = "tracking"
)

// conntrackCount is how many entries the reader's network namespace has. It is there when nf_conntrack is loaded
// (net/netfilter/nf_conntrack_standalone.c); namespaceSettings is always.
const (
	conntrackCount    = "/proc/sys/net/netfilter/nf_conntrack_count"
	namespaceSettings = "/proc/sys/net/core"
)

// ReadConntrack reads the state in the network namespace at a path, "" for the own.
func ReadConntrack(path string) Conntrack {
	var c Conntrack
	err := withNamespace(path, func(fd int) error {
		return inside(fd, func() (err error) {
			c, err = readConntrack()
			return err
		})
	})
	if err != nil {
		return Conntrack{State: ConntrackUnknown, Why: err.Error()}
	}
	return c
}

func readConntrack() (Conntrack, error) {
	text, err := os.ReadFile(conntrackCount)
	if errors.Is(err, os.ErrNotExist) {
		_, err = os.Stat(namespaceSettings)
		return Conntrack{State: ConntrackNotLoaded}, err
	}
	if err != nil {
		return Conntrack{}, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return Conntrack{}, fmt.Errorf("read %s: %w", conntrackCount, err)
	}
	if n == 0 {
		return Conntrack{State: ConntrackIdle}, nil
	}
	return Conntrack{State: ConntrackTracking, Entries: n}, nil
}

// inside runs f on a thread in the namespace of a descriptor, 0 for the own. The thread is not used again if it cannot
// return.
func inside(fd int, f func() error) error {
	if fd == 0 {
		return f()
	}
	done := make(chan error)
	go func() { done <- visit(fd, f) }()
	return <-done
}

func visit(fd int, f func() error) error {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer own.Close()
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace: %w", err)
	}
	err = f()
	if unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return err
}
