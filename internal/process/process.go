// Package process tells from a control group's path which container, pod or systemd unit a process belongs to.
//
// The capture programs read who owns a socket, with the names of its control group and of those above, while the
// process is there; package capture hands these names over and puts the answer into the records. Nothing is looked up
// on the host: neither /proc nor a container runtime.
//
// The layouts are those of systemd's and cgroupfs' drivers, with cgroup v1, v2 and both at once, as containerd, CRI-O,
// Docker, Podman and the kubelet make them.
package process

import (
	"regexp"
	"strings"

	"github.com/seine-net/seine/internal/flow"
)

// container matches the name of a container's control group: an identifier of 64 digits, behind the runtime's prefix
// where there is one, in a scope where systemd's driver made it.
var container = regexp.MustCompile(`^(?:(cri-containerd|nerdctl|crio|docker|libpod|libpod-payload)-)?([0-9a-f]{64})(?:\.scope)?$`)

var byPrefix = map[string]flow.Runtime{
	"cri-containerd": flow.Containerd, "nerdctl": flow.Containerd, "crio": flow.CRIO,
	"docker": flow.Docker, "libpod": flow.Podman, "libpod-payload": flow.Podman,
}

// byParent tells the runtime from the group above, where the name has no prefix: containerd names that one by its own
// namespace.
var byParent = map[string]flow.Runtime{
	"docker": flow.Docker, "default": flow.Containerd, "k8s.io": flow.Containerd, "libpod_parent": flow.Podman,
}

// pod matches the name of a pod's control group. A static pod's identifier is a hash without dashes. Systemd's names
// have no dashes but those of levels, so that the identifier's are underscores.
var pod = regexp.MustCompile(`(?:^|-)pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$`)

// Identify fills in what the names of a control group and those above it tell, the innermost first. Container groups
// may lie in another's: the innermost is the process's own. Units within a container are the container's business.
func Identify(p *flow.Process, names []string) {
	for i, name := range names {
		if m := container.FindStringSubmatch(name); m != nil {
			p.Container, p.Runtime = m[2], byPrefix[m[1]]
			if p.Runtime == 0 && i+1 < len(names) {
				p.Runtime = byParent[names[i+1]]
			}
			p.PodUID = podOf(names[i+1:])
			return
		}
	}
	// A pod's own group without a container is that of a sandbox that no runtime names.
	if p.PodUID = podOf(names); p.PodUID == "" {
		p.Unit = unitOf(names)
	}
}

// podOf returns the identifier of the innermost pod.
func podOf(names []string) string {
	for _, name := range names {
		if m := pod.FindStringSubmatch(name); m != nil {
			return strings.ReplaceAll(m[1], "_", "-")
		}
		if container.MatchString(name) {
			return "" // What is above belongs to the outer container.
		}
	}
	return ""
}

// unitOf returns the innermost unit that holds processes.
func unitOf(names []string) string {
	for _, name := range names {
		if strings.HasSuffix(name, ".service") || strings.HasSuffix(name, ".scope") {
			return name
		}
	}
	return ""
}
