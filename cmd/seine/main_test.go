package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/testkit"
)

// These tests run the program as its users do: started with arguments, judged by its output and exit code. The test
// binary itself is the program: run under the name seine, or kubectl-seine, it does what main does.
//
// All run in a mount and a network namespace of their own, so that the machine's interfaces and other agents are
// neither disturbed nor seen: TestMain starts itself once more in them, marked by stageVariable.

const (
	stageVariable = "SEINE_TEST_STAGE"
	// program is on the stage's own /run, which vanishes with it.
	program = "/run/seine-test/seine"
)

func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "seine" || isPlugin():
		main()
		os.Exit(0)
	case os.Getenv(stageVariable) == "":
		os.Exit(enterStage())
	}
	if err := furnishStage(); err != nil {
		fmt.Fprintln(os.Stderr, "prepare the stage:", err)
		os.Exit(1)
	}
	testkit.Main(m)
}

// enterStage runs this program again inside new namespaces, and returns its exit code.
func enterStage() int {
	runtime.LockOSThread() // The child dies with the thread that started it.
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), stageVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL,
	}
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "these tests make namespaces and need root:", err)
		return 1
	}
	return 0
}

// furnishStage sets loopback up and makes a /run with nothing but the program.
func furnishStage() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	if err := unix.Mount("none", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	if err := os.Mkdir(filepath.Dir(program), 0o755); err != nil {
		return err
	}
	if err := os.Setenv("XDG_STATE_HOME", "/run/seine-test/state"); err != nil {
		return err
	}
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
