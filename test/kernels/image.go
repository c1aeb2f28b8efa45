package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// guestInit is the guest's first process.
//
//go:embed init.sh
var guestInit []byte

// tools are this machine's programs that tests call in a guest of the same architecture. Those of iptables are the
// older kind, which the kernels have alike; scripts/setup installs them.
var tools = []string{"ip", "tc", "nft", "conntrack", "ipvsadm", "ss", "xtables-legacy-multi", "kmod"}

// aliases are names by which a tool is called beside its own.
var aliases = map[string][]string{
	"kmod":                 {"modprobe", "lsmod", "rmmod"},
	"xtables-legacy-multi": {"iptables", "ip6tables", "iptables-restore", "ip6tables-restore"},
}

// protocols are those that rules name.
const protocols = "icmp 1\ntcp 6\nudp 17\nipv6-icmp 58\nsctp 132\n"

// modules are the folders below the kernel's that the guest has.
var modules = []string{
	"net", "lib", "crypto", "arch", "drivers/net/veth", "drivers/net/macvlan", "drivers/net/dummy", "drivers/net/tun",
	"drivers/net/bonding", "drivers/net/vxlan", "drivers/net/ifb", "drivers/virtio", "drivers/char/virtio_console",
}

// image writes an initramfs (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst): a cpio archive.
type image struct {
	w *cpio.Writer
	// made are the names that are in it.
	made map[string]bool
}

// pack writes the initramfs of a kernel: root is the folder with the unpacked packages, tests that with test binaries,
// and script what the guest runs.
func pack(ctx context.Context, path, root, tests string, k *kernel, script string) error {
	return writeImage(path, func(i *image) error {
		if err := errors.Join(i.base(root, script), i.tree(tests, "tests", all)); err != nil {
			return err
		}
		if k.machine.arch != runtime.GOARCH {
			return nil
		}
		return i.tools(ctx)
	})
}

// packBare writes an initramfs without tests and their tools.
func packBare(path, root, script string) error {
	return writeImage(path, func(i *image) error { return i.base(root, script) })
}

func all(string) bool { return true }

func writeImage(path string, fill func(*image) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriterSize(file, 1<<20)
	i := &image{w: cpio.NewWriter(buffer), made: make(map[string]bool)}
	return errors.Join(fill(i), i.w.Close(), buffer.Flush(), file.Close())
}

// base writes what every guest has.
func (i *image) base(root, script string) error {
	for _, dir := range []string{"proc", "sys", "dev", "tmp", "run", "etc", "usr/sbin", "sbin", "var/tmp"} {
		if err := i.dir(dir); err != nil {
			return err
		}
	}
	busybox := filepath.Join(root, "bin/busybox")
	if !exists(busybox) {
		busybox = filepath.Join(root, "usr/bin/busybox")
	}
	return errors.Join(
		i.copy(busybox, "bin/busybox"),
		i.bytes("init", guestInit, 0o755),
		i.bytes("etc/suites", []byte(script), 0o755),
		i.bytes("etc/passwd", []byte("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"), 0o644),
		i.bytes("etc/group", []byte("root:x:0:\nnogroup:x:65534:\n"), 0o644),
		i.bytes("etc/protocols", []byte(protocols), 0o644),
		i.modules(root),
	)
}

// modules writes the kernel's modules that the guest may need, and the index of all.
func (i *image) modules(root string) error {
	release, err := releaseOf(root)
	if err != nil {
		return err
	}
	base := filepath.Join("lib/modules", release)
	return i.tree(filepath.Join(root, base), base, func(name string) bool {
		inside, isModule := strings.CutPrefix(name, "kernel/")
		if !isModule {
			return strings.HasPrefix(name, "modules.")
		}
		for _, m := range modules {
			if strings.HasPrefix(inside, m) {
				return true
			}
		}
		return false
	})
}

// tree copies the files below a folder whose names, as seen from it, are wanted.
func (i *image) tree(from, to string, wanted func(name string) bool) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !e.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil || !wanted(name) {
			return err
		}
		return i.copy(path, filepath.Join(to, name))
	})
}

// tools copies this machine's programs with their libraries and iptables' plug-ins.
func (i *image) tools(ctx context.Context) error {
	for _, name := range tools {
		path, err := exec.LookPath(name)
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		if err := i.program(ctx, path, "usr/sbin/"+name); err != nil {
			return err
		}
		for _, alias := range aliases[name] {
			if err := i.link(name, "usr/sbin/"+alias); err != nil {
				return err
			}
		}
	}
	plugins, err := filepath.Glob("/usr/lib/*/xtables/*.so")
	if err != nil || len(plugins) == 0 {
		return fmt.Errorf("find iptables' plug-ins: %v, %w", plugins, err)
	}
	for _, p := range plugins {
		if err := i.copy(p, p[1:]); err != nil {
			return err
		}
	}
	return nil
}

var libraries = regexp.MustCompile(`/[^ )]+`)

// program copies a program with the libraries that it loads.
func (i *image) program(ctx context.Context, path, to string) error {
	out, err := command(ctx, "", "ldd", path)
	if err != nil {
		return err
	}
	for _, library := range libraries.FindAllString(out, -1) {
		if err := i.copy(library, library[1:]); err != nil {
			return err
		}
	}
	return i.copy(path, to)
}

// dir writes a folder and those that it is in.
func (i *image) dir(name string) error {
	if name == "." || i.made[name] {
		return nil
	}
	if err := i.dir(filepath.Dir(name)); err != nil {
		return err
	}
	i.made[name] = true
	return i.w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeDir | 0o755, Links: 2})
}

// copy writes a file once. Its content is that of what a symbolic link leads to.
func (i *image) copy(from, to string) error {
	if i.made[to] {
		return nil
	}
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return i.file(to, file, info.Size(), info.Mode().Perm())
}

func (i *image) bytes(name string, content []byte, mode fs.FileMode) error {
	return i.file(name, strings.NewReader(string(content)), int64(len(content)), mode)
}

func (i *image) file(name string, content io.Reader, size int64, mode fs.FileMode) error {
	if err := i.dir(filepath.Dir(name)); err != nil {
		return err
	}
	i.made[name] = true
	header := &cpio.Header{Name: name, Mode: cpio.TypeReg | cpio.FileMode(mode), Size: size, Links: 1}
	if err := i.w.WriteHeader(header); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	_, err := io.Copy(i.w, content)
	return err
}

func (i *image) link(to, name string) error {
	i.made[name] = true
	header := &cpio.Header{Name: name, Linkname: to, Mode: cpio.TypeSymlink | 0o777, Size: int64(len(to)), Links: 1}
	if err := i.w.WriteHeader(header); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	_, err := io.WriteString(i.w, to)
	return err
}
