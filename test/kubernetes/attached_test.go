//go:build e2e

package kubernetes

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// attached lists the interfaces of a node that have programs at TCX.
func attached(t *testing.T, node string) (found string) {
	t.Helper()
	answered := make(chan error)
	go func() {
		answered <- inNamespace("/run/netns/sc-"+node, func() (err error) {
			found, err = attachedHere()
			return err
		})
	}()
	if err := <-answered; err != nil {
		t.Fatalf("look for programs on %s: %v", node, err)
	}
	return found
}

// inNamespace calls f on a thread inside a network namespace, and leaves it again: the cluster is not taken down while
// a thread of ours is there.
func inNamespace(path string, f func() error) error {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer own.Close()
	ns, err := os.Open(path)
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	err = f()
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // The thread ends with its goroutine.
	}
	runtime.UnlockOSThread()
	return err
}

func attachedHere() (found string, err error) {
	links, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, l := range links {
		for _, point := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
			result, err := link.QueryPrograms(link.QueryOptions{Target: l.Index, Attach: point})
			if errors.Is(err, link.ErrNotSupported) || errors.Is(err, unix.ENODEV) {
				continue
			}
			if err != nil {
				return "", err
			}
			if n := len(result.Programs); n > 0 {
				found += fmt.Sprintf("%d programs on %s; ", n, l.Name)
			}
		}
	}
	return found, nil
}
