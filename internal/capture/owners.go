package capture

import (
	"bytes"

	"github.com/cilium/ebpf"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/process"
)

// owners turns what the kernel notes of a socket's owner into processes, each made once.
type owners struct {
	processes map[bpf.SocketOwner]*flow.Process
	groups    map[uint64]flow.Process
}

// maxOwners bounds the processes and control groups remembered; with more, all are forgotten and made anew.
const maxOwners = 16384

func newOwners() *owners {
	return &owners{processes: make(map[bpf.SocketOwner]*flow.Process), groups: make(map[uint64]flow.Process)}
}

// of returns the owner, nil where it is not known.
func (o *owners) of(who *bpf.SocketOwner, paths *ebpf.Map) *flow.Process {
	if who.Pid == 0 {
		return nil
	}
	if p, ok := o.processes[*who]; ok {
		return p
	}
	p := o.group(who.Cgroup, paths)
	p.PID, p.Name = who.Pid, text(who.Comm[:])
	if len(o.processes) >= maxOwners {
		clear(o.processes)
	}
	o.processes[*who] = &p
	return &p
}

// group returns what a control group tells of its processes.
func (o *owners) group(id uint64, paths *ebpf.Map) flow.Process {
	if p, ok := o.groups[id]; ok {
		return p
	}
	var path bpf.SocketCgroupPath
	var p flow.Process
	if paths.Lookup(id, &path) != nil {
		return p // Another took its place in the kernel's map: see sockets.losses.
	}
	var names []string
	for i := range path.Names {
		if name := text(path.Names[i][:]); name != "" {
			names = append(names, name)
		}
	}
	process.Identify(&p, names)
	if len(o.groups) >= maxOwners {
		clear(o.groups)
	}
	o.groups[id] = p
	return p
}

// wanted tells whether a socket's owner is not known.
func (o *owners) wanted(reports []bpf.SocketFacts) bool {
	for i := range reports {
		if reports[i].Owner.Pid == 0 {
			return true
		}
	}
	return false
}

// text reads a C string.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
