package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// requestTimeout bounds the wait for a child's reply; each request of ours takes a child at most a few seconds.
const requestTimeout = 15 * time.Second

// spawner starts processes from one thread. Linux kills a child with PR_SET_PDEATHSIG when the thread that started
// it ends, not the process, and Go's threads come and go: so one goroutine keeps one thread for the cluster's life.
type spawner struct{ jobs chan func() }

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with the goroutine, and whatever still runs with it.
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

func (s *spawner) stop() { close(s.jobs) }

// process is the parent's side of a child that lives in its own network namespace.
type process struct {
	name string
	spec spec
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended and was reaped
	// bridgeNetfilter is the reply's member of that name.
	bridgeNetfilter bool

	mu       sync.Mutex // one request at a time
	requests *os.File
	replies  *os.File
	decoder  *json.Decoder
	behaves  behaviour // what the child was told last
	broken   error     // set when a reply is missing: later ones could not be told apart
}

// start runs `self demo-pod NAME` in a new network namespace and sends it its spec.
func (s *spawner) start(self string, sp spec) (*process, error) {
	p := &process{name: sp.Name, spec: sp, behaves: sp.Behaviour, done: make(chan struct{})}
	p.cmd = exec.Command(self, "demo-pod", sp.Name)
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // A terminal's Ctrl-C is for the parent, which then stops in order.
	}
	if err := p.startWithPipes(s); err != nil {
		return nil, fmt.Errorf("start namespace of %s: %w", sp.Name, explain(err))
	}
	go func() {
		p.cmd.Wait() // The status does not matter: whoever asks the child learns that it is gone.
		close(p.done)
	}()
	return p, nil
}

func (p *process) startWithPipes(s *spawner) error {
	stdin, requests, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	replies, stdout, err := os.Pipe()
	if err != nil {
		requests.Close()
		return err
	}
	defer stdout.Close()
	p.cmd.Stdin, p.cmd.Stdout, p.requests, p.replies = stdin, stdout, requests, replies
	p.decoder = json.NewDecoder(replies)
	started := make(chan error)
	s.jobs <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return errors.Join(err, requests.Close(), replies.Close())
	}
	return nil
}

// explain adds to a refused clone(2) what the user can do.
func explain(err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w: the demo needs CAP_SYS_ADMIN and CAP_NET_ADMIN to make network namespaces: run it as root", err)
	}
	return err
}

// hello sends the spec and waits until the child has set up its namespace and listens.
func (p *process) hello(ctx context.Context) error {
	r, err := p.exchange(ctx, p.spec)
	p.bridgeNetfilter = r.BridgeNetfilter
	return err
}

// behave tells the child to behave so, unless it does already. Only one goroutine at a time may call it.
func (p *process) behave(ctx context.Context, b behaviour) error {
	if p.behaves == b {
		return nil
	}
	_, err := p.do(ctx, request{Behave: &b})
	if err == nil {
		p.behaves = b
	}
	return err
}

// do sends a request and returns how it went.
func (p *process) do(ctx context.Context, r request) (reply, error) { return p.exchange(ctx, r) }

// exchange sends one value and reads its reply. An error of the child's is returned as the error.
func (p *process) exchange(ctx context.Context, message any) (reply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var r reply
	if p.broken == nil {
		p.broken = p.transfer(ctx, message, &r)
	}
	if p.broken != nil {
		return r, fmt.Errorf("ask %s: %w", p.name, p.broken)
	}
	if r.Error != "" {
		return r, fmt.Errorf("%s: %s", p.name, r.Error)
	}
	return r, nil
}

func (p *process) transfer(ctx context.Context, message any, r *reply) error {
	deadline := time.Now().Add(requestTimeout)
	if err := errors.Join(p.requests.SetWriteDeadline(deadline), p.replies.SetReadDeadline(deadline)); err != nil {
		return err
	}
	defer p.interruptBy(ctx)()
	if err := json.NewEncoder(p.requests).Encode(message); err != nil {
		return err
	}
	if err := p.decoder.Decode(r); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}

// interruptBy ends the wait for a reply when ctx ends, until the function that it returns has returned.
func (p *process) interruptBy(ctx context.Context) func() {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		p.replies.SetReadDeadline(time.Now())
		close(interrupted)
	})
	return func() {
		if !stop() {
			<-interrupted
		}
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// netNS is the path of the child's network namespace.
func (p *process) netNS() string { return fmt.Sprintf("/proc/%d/ns/net", p.pid()) }

// kill ends the child and waits until it is gone. It must be called once.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-p.done
	return errors.Join(err, p.requests.Close(), p.replies.Close())
}
