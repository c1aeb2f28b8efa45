package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	// guestMemory is in MiB. A guest's files are in its memory.
	guestMemory = 2048
	// guestProcessors are two, so that programs run beside each other.
	guestProcessors = 2
)

// quick are parameters of the kernel that spare emulated processors work which no test is about: the defences against
// speculation, zeroing, slow waits for RCU and clocks that are read by leaving the processor.
const quick = "mitigations=off init_on_alloc=0 randomize_kstack_offset=off rcupdate.rcu_expedited=1 nowatchdog audit=0 " +
	"clocksource=tsc tsc=reliable"

// guest is a virtual machine to be.
type guest struct {
	machine *machine
	// kernel, initramfs and console are files; the kernel writes to the console.
	kernel, initramfs, console string
	accelerated                bool
	// spent is the processor time that it took, of the host's.
	spent time.Duration
}

// arguments are QEMU's.
func (g *guest) arguments() []string {
	processors := g.machine.emulated
	if g.accelerated {
		processors = g.machine.accelerated
	}
	return slicesOf(g.machine.qemu[1:], processors, []string{
		"-smp", strconv.Itoa(guestProcessors), "-m", strconv.Itoa(guestMemory), "-display", "none", "-nodefaults", "-no-reboot",
		"-serial", "file:" + g.console, "-chardev", "file,id=out,path=/dev/stdout",
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=out,nr=1,name=out",
		"-kernel", g.kernel, "-initrd", g.initramfs,
		"-append", "quiet panic=-1 console=" + g.machine.console + " " + quick,
	})
}

func slicesOf(parts ...[]string) []string {
	var all []string
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// run boots the guest and hands what its port says to a reader, until the guest powers off or the context ends.
func (g *guest) run(ctx context.Context, read func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, g.machine.qemu[0], g.arguments()...)
	var errs bytes.Buffer
	cmd.Stderr, cmd.WaitDelay = &errs, 5*time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", g.machine.qemu[0], err)
	}
	failed := read(out)
	err = cmd.Wait()
	g.spent = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", g.machine.qemu[0], err, errs.String())
	}
	return failed
}

// tail is the end of what the kernel said.
func (g *guest) tail() string {
	text, err := os.ReadFile(g.console)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-4000):]))
}

// complaint is how a kernel tells of a fault of its own or of ours; waits that are long for it are none where processors
// are emulated.
var complaint = regexp.MustCompile(`\b(BUG|WARNING|Oops|UBSAN|KASAN|general protection fault)\b`)

// complaints are the first lines of the console that tell of a fault.
func (g *guest) complaints() (all []string) {
	text, _ := os.ReadFile(g.console) // Without a console the guest did not even start.
	for line := range strings.Lines(string(text)) {
		if complaint.MatchString(line) && !strings.Contains(line, "soft lockup") && len(all) < 5 {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// hello is what a guest says that works.
const hello = "works"

// kvmWorks boots a guest that says hello by KVM. A device /dev/kvm alone tells little: where the machine is itself
// virtual, the guest may end or hang before its first line.
func kvmWorks(ctx context.Context, root, dir string) error {
	m := amd64
	if runtime.GOARCH != m.arch || !exists("/dev/kvm") {
		return errors.New("no /dev/kvm")
	}
	g := &guest{
		machine: m, initramfs: filepath.Join(dir, "hello.cpio"), console: filepath.Join(dir, "hello.console"), accelerated: true,
	}
	var err error
	if g.kernel, err = kernelFile(root, m); err != nil {
		return err
	}
	if err := packBare(g.initramfs, root, "#!/bin/sh\necho "+hello+"\n"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var said []byte
	err = g.run(ctx, func(r io.Reader) (err error) {
		said, err = io.ReadAll(r)
		return err
	})
	if err == nil && strings.TrimSpace(string(said)) != hello {
		err = fmt.Errorf("the guest said %q", said)
	}
	return err
}

// kernelFile finds the kernel below an unpacked package.
func kernelFile(root string, m *machine) (string, error) {
	found, err := filepath.Glob(filepath.Join(root, "boot", m.image+"*"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("find %s below %s: got %v, want one", m.image, root, found)
	}
	return found[0], nil
}
