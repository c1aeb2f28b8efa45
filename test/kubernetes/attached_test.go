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
func attached(t *testing.T, node string) string {
	t.Helper()
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer)
	// The thread that enters the node's namespace ends with its goroutine.
	go func() {
		runtime.LockOSThread()
		text, err := attachedHere("/run/netns/sc-" + node)
		answers <- answer{text, err}
	}()
	a := <-answers
	if a.err != nil {
		t.Fatalf("look for programs on %s: %v", node, a.err)
	}
	return a.text
}

func attachedHere(namespace string) (found string, err error) {
	ns, err := os.Open(namespace)
	if err != nil {
		return "", err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return "", err
	}
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
