package capture

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
)

// A filter of clsact outlives the process that added it. So that a later agent can tell the filters of a dead one from
// those of one that runs beside it, each is named after an abstract socket that its owner keeps open: the kernel closes
// it with the process. Abstract sockets belong to the network namespace, as the filters do.

const tagPrefix = "seine-"

// openTag returns a fresh tag and the socket that keeps it alive. Call it inside the watched namespace.
func openTag() (string, net.Listener, error) {
	var id [6]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", nil, fmt.Errorf("make a filter tag: %w", err)
	}
	tag := tagPrefix + hex.EncodeToString(id[:])
	l, err := net.Listen("unix", "@"+tag)
	if err != nil {
		return "", nil, fmt.Errorf("open the filter tag's socket: %w", err)
	}
	return tag, l, nil
}

// isStale tells whether a tag is ours and its owner dead. Call it inside the watched namespace.
func isStale(tag string) bool {
	if !strings.HasPrefix(tag, tagPrefix) {
		return false
	}
	c, err := net.Dial("unix", "@"+tag)
	if err != nil {
		return true
	}
	c.Close()
	return false
}
