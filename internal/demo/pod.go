package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// PodMain is the whole life of a process of the cluster, to be called by `seine demo-pod NAME`, which [Up] starts.
// It serves requests from standard input until that closes, and returns the exit status.
func PodMain(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "demo-pod: want one argument, a name; seine demo starts this command itself")
		return 2
	}
	if err := runChild(os.Stdin, os.Stdout); !errors.Is(err, io.EOF) {
		fmt.Fprintf(os.Stderr, "demo-pod %s: %v\n", args[0], err)
		return 1
	}
	return 0
}

// child is a process of the cluster as it sees itself.
type child struct {
	spec    spec
	servers []runningServer
	client  *client
	traffic *traffic
}

// runningServer is a program that listens.
type runningServer interface {
	// behave changes how the server answers from now on.
	behave(behaviour) error
}

// runChild reads the spec, then serves requests one by one. It ends with an error, at best io.EOF.
func runChild(in io.Reader, out io.Writer) error {
	requests, replies := json.NewDecoder(in), json.NewEncoder(out)
	c := &child{}
	if err := requests.Decode(&c.spec); err != nil {
		return err
	}
	hello := reply{Error: text(c.setUp()), BridgeNetfilter: exists("/proc/sys/net/bridge/bridge-nf-call-iptables")}
	if err := replies.Encode(hello); err != nil {
		return err
	}
	for {
		var r request
		if err := requests.Decode(&r); err != nil {
			return err
		}
		if err := replies.Encode(c.serve(r)); err != nil {
			return err
		}
	}
}

// setUp makes the child what its spec says.
func (c *child) setUp() error {
	if err := nameThreads(c.spec.Comm); err != nil {
		return err
	}
	if err := setSysctls(c.spec.Role); err != nil {
		return err
	}
	c.client = newClient(c.spec)
	c.traffic = newTraffic(c.client, c.spec.Calls)
	for _, s := range c.spec.Servers {
		running, err := c.start(s)
		if err != nil {
			return fmt.Errorf("start %s server on port %d: %w", s.Kind, s.Port, err)
		}
		c.servers = append(c.servers, running)
	}
	return c.behave(c.spec.Behaviour)
}

func (c *child) start(s server) (runningServer, error) {
	switch s.Kind {
	case httpServer:
		return startHTTP(s, c.spec.Name, c.client)
	case dnsServer:
		return startDNS(s, c.spec.Zone)
	case echoServer:
		return startEcho(s, c.spec.Name)
	}
	return nil, fmt.Errorf("kind %q: want %q, %q or %q", s.Kind, httpServer, dnsServer, echoServer)
}

func (c *child) serve(r request) reply {
	switch {
	case r.Behave != nil:
		return reply{Error: text(c.behave(*r.Behave))}
	case r.Run != nil:
		return reply{Error: text(run(*r.Run))}
	case r.Drive != nil:
		c.traffic.set(*r.Drive)
		return reply{}
	case r.Call != nil:
		return reply{Outcome: c.client.call(*r.Call)}
	}
	return reply{Error: "empty request"}
}

func (c *child) behave(b behaviour) error {
	for _, s := range c.servers {
		if err := s.behave(b); err != nil {
			return err
		}
	}
	return nil
}

// run runs a program in the child's namespace. Like the child, it dies with the thread that started it.
func run(c command) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	path, err := findProgram(c.Args[0])
	if err != nil {
		return err
	}
	cmd := exec.Command(path, c.Args[1:]...)
	cmd.Stdin = bytes.NewBufferString(c.Stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s: %w: %s", c.Args[0], err, firstLine(output))
	}
	return nil
}

// findProgram looks where administrators' programs are, too: root's PATH does not always have them.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path := filepath.Join(dir, name); exists(path) {
			return path, nil
		}
	}
	return "", err
}

func firstLine(output []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(output), []byte("\n"))
	return string(line)
}

// nameThreads makes ps and /proc/PID/comm show the program's part. Threads to come inherit it from these.
func nameThreads(comm string) error {
	tasks, err := filepath.Glob("/proc/self/task/*/comm")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if err := os.WriteFile(t, []byte(comm), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("name thread: %w", err)
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
