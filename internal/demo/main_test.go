package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/testkit"
)

// TestMain makes the test binary do what the seine binary does in a demo: become a process of the cluster, or, with
// the name demo-parent, a program that builds a cluster and is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "demo-pod":
			os.Exit(PodMain(os.Args[2:]))
		case "demo-parent":
			os.Exit(parentMain())
		}
	}
	testkit.Main(m)
}

// parentReport is what parentMain tells: the processes of its cluster, and how its own namespace looks before, with,
// and without the cluster.
type parentReport struct {
	PIDs        []int
	Before, Now []string
}

// parentMain builds a cluster, reports, waits until its standard input closes, removes the cluster and reports again.
func parentMain() int {
	report, err := reportParent()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	json.NewEncoder(os.Stdout).Encode(report)
	return 0
}

func reportParent() (parentReport, error) {
	var r parentReport
	var err error
	if r.Before, err = machine(); err != nil {
		return r, err
	}
	c, err := Up(context.Background(), Options{})
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	driven := make(chan error, 1)
	go func() { driven <- c.Drive(ctx) }()
	r.PIDs = pids(c)
	if r.Now, err = machine(); err != nil {
		return r, err
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return r, err
	}
	io.Copy(io.Discard, os.Stdin)
	cancel()
	if err := errors.Join(<-driven, c.Down()); err != nil {
		return r, err
	}
	r.Now, err = machine()
	return r, err
}

func pids(c *Cluster) []int {
	var list []int
	for _, p := range c.procs {
		list = append(list, p.pid())
	}
	return list
}

// up builds a cluster for a test, which must not take long, and removes it at the test's end.
func up(t *testing.T, o Options) *Cluster {
	t.Helper()
	testkit.RequireRoot(t)
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	start := time.Now()
	c, err := Up(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("up after %v", time.Since(start))
	t.Cleanup(func() {
		start := time.Now()
		if err := c.Down(); err != nil {
			t.Error(err)
		}
		t.Logf("down after %v", time.Since(start))
	})
	return c
}

// ask lets the named process make a call.
func ask(t *testing.T, c *Cluster, process string, request call) outcome {
	t.Helper()
	r, err := c.procs[process].do(t.Context(), requestOf(request))
	if err != nil {
		t.Fatal(err)
	}
	return r.Outcome
}

func requestOf(c call) request { return request{Call: &c} }

// pod returns a pod of the plan.
func pod(t *testing.T, workload string, ordinal int) podPlan {
	t.Helper()
	for _, p := range podPlans() {
		if p.workloadPlan.name == workload && p.ordinal == ordinal {
			return p
		}
	}
	t.Fatalf("no pod %d of workload %s", ordinal, workload)
	return podPlan{}
}

// inside runs f on a thread in the network namespace of that path. The thread ends with it.
func inside(path string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			space, err := os.Open(path)
			if err != nil {
				return err
			}
			defer space.Close()
			if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			return f()
		}()
	}()
	return <-done
}

// linkPackets is how many packets a link of the thread's namespace has received.
func linkPackets(name string) (uint64, error) {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return 0, err
	}
	return l.Attrs().Statistics.RxPackets, nil
}
