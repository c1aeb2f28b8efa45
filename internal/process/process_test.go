package process

import (
	"slices"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

const (
	id    = "3f4c6a1be0d27b5a9c8d1e2f3a4b5c6d7e8f90123456789abcdef0123456789a"
	outer = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	uid   = "0b9ad5c2-6f0e-4bd5-9a26-4a1a0a8a4c11"
	under = "0b9ad5c2_6f0e_4bd5_9a26_4a1a0a8a4c11"
)

// TestIdentify has the paths as /proc/PID/cgroup shows them on the hosts named.
func TestIdentify(t *testing.T) {
	f := func(host, path string, want flow.Process) {
		t.Helper()
		names := strings.Split(strings.Trim(path, "/"), "/")
		slices.Reverse(names)
		var got flow.Process
		Identify(&got, names)
		if got != want {
			t.Errorf("%s: %s\ngot  %+v\nwant %+v", host, path, got, want)
		}
	}
	inPod := func(r flow.Runtime) flow.Process { return flow.Process{Container: id, Runtime: r, PodUID: uid} }

	f("containerd, systemd driver, v2", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"+under+".slice/cri-containerd-"+id+".scope", inPod(flow.Containerd))
	f("containerd, systemd driver, guaranteed", "/kubepods.slice/kubepods-pod"+under+".slice/cri-containerd-"+id+".scope", inPod(flow.Containerd))
	f("containerd, cgroupfs driver, v1", "/kubepods/burstable/pod"+uid+"/"+id, inPod(0))
	f("containerd, cgroupfs driver, guaranteed", "/kubepods/pod"+uid+"/"+id, inPod(0))
	f("containerd in kind", "/docker/"+outer+"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod"+under+".slice/cri-containerd-"+id+".scope", inPod(flow.Containerd))
	f("static pod", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0123456789abcdef0123456789abcdef.slice/cri-containerd-"+id+".scope",
		flow.Process{Container: id, Runtime: flow.Containerd, PodUID: "0123456789abcdef0123456789abcdef"})
	f("CRI-O, systemd driver", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod"+under+".slice/crio-"+id+".scope", inPod(flow.CRIO))
	f("CRI-O's container with an inner group", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod"+under+".slice/crio-"+id+".scope/container", inPod(flow.CRIO))
	f("CRI-O, cgroupfs driver", "/kubepods/besteffort/pod"+uid+"/crio-"+id, inPod(flow.CRIO))
	f("CRI-O's monitor", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod"+under+".slice/crio-conmon-"+id+".scope", flow.Process{PodUID: uid})
	f("Docker, systemd driver", "/system.slice/docker-"+id+".scope", flow.Process{Container: id, Runtime: flow.Docker})
	f("Docker, cgroupfs driver, v1", "/docker/"+id, flow.Process{Container: id, Runtime: flow.Docker})
	f("Docker with systemd inside", "/docker/"+id+"/system.slice/nginx.service", flow.Process{Container: id, Runtime: flow.Docker})
	f("Docker under Kubernetes", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"+under+".slice/docker-"+id+".scope", inPod(flow.Docker))
	f("kubelet in kind", "/docker/"+outer+"/kubelet.slice/kubelet.service", flow.Process{Container: outer, Runtime: flow.Docker})
	f("Docker in a pod", "/kubepods/burstable/pod"+uid+"/"+outer+"/docker/"+id, flow.Process{Container: id, Runtime: flow.Docker})
	f("Podman", "/machine.slice/libpod-"+id+".scope", flow.Process{Container: id, Runtime: flow.Podman})
	f("Podman without root", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-"+id+".scope/container", flow.Process{Container: id, Runtime: flow.Podman})
	f("Podman's monitor", "/machine.slice/libpod-conmon-"+id+".scope", flow.Process{Unit: "libpod-conmon-" + id + ".scope"})
	f("nerdctl", "/system.slice/nerdctl-"+id+".scope", flow.Process{Container: id, Runtime: flow.Containerd})
	f("containerd's ctr", "/default/"+id, flow.Process{Container: id, Runtime: flow.Containerd})
	f("a service", "/system.slice/sshd.service", flow.Process{Unit: "sshd.service"})
	f("a template's instance", "/system.slice/system-getty.slice/getty@tty1.service", flow.Process{Unit: "getty@tty1.service"})
	f("a service that makes groups", "/system.slice/libvirtd.service/emulator", flow.Process{Unit: "libvirtd.service"})
	f("a user's application", "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-4711.scope", flow.Process{Unit: "app-firefox-4711.scope"})
	f("a login", "/user.slice/user-0.slice/session-3.scope", flow.Process{Unit: "session-3.scope"})
	f("systemd itself", "/init.scope", flow.Process{Unit: "init.scope"})
	f("a slice alone", "/system.slice", flow.Process{})
	f("the root", "/", flow.Process{})
	f("too short for an identifier", "/docker/3f4c6a1be0d2", flow.Process{})
	f("no hexadecimal digits", "/docker/"+strings.Repeat("z", 64), flow.Process{})
}

func FuzzIdentify(f *testing.F) {
	f.Add("kubepods-burstable-pod" + under + ".slice/cri-containerd-" + id + ".scope")
	f.Fuzz(func(t *testing.T, path string) {
		var p flow.Process
		Identify(&p, strings.Split(path, "/"))
		if p.Container != "" && p.Unit != "" {
			t.Errorf("%q is in container %q and in unit %q", path, p.Container, p.Unit)
		}
	})
}
