package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/seine-net/seine/bpf"
)

const (
	fentryProgram = "seine_nat_fentry"
	kprobeProgram = "seine_nat_kprobe"
	// natFunction is the function that a probe watches, natModule the module that it is in.
	natFunction = "nf_nat_manip_pkt"
	natModule   = "nf_nat"
)

// probes are the programs that watch NAT at work, with how each is attached.
var probes = map[string]func(*ebpf.Program) (link.Link, error){
	fentryProgram: func(p *ebpf.Program) (link.Link, error) {
		return link.AttachTracing(link.TracingOptions{Program: p})
	},
	kprobeProgram: func(p *ebpf.Program) (link.Link, error) { return link.Kprobe(natFunction, p, nil) },
}

// openProbe loads a probe, which writes to the map of translations, and attaches it. Beside that map it needs those of its
// variables, whose names begin with a dot.
func openProbe(program string, translations *ebpf.Map, netns uint32) (closers, error) {
	spec, err := bpf.LoadCapture()
	if err != nil {
		return nil, fmt.Errorf("read the embedded BPF object: %w", err)
	}
	if err := spec.Variables["config_netns"].Set(netns); err != nil {
		return nil, fmt.Errorf("set config_netns: %w", err)
	}
	const shared = "seine_nat"
	maps.DeleteFunc(spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return name != program })
	maps.DeleteFunc(spec.Maps, func(name string, _ *ebpf.MapSpec) bool { return name != shared && !strings.HasPrefix(name, ".") })
	options := ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{shared: translations}}
	var loaded *ebpf.Collection
	err = undisturbed(func() error {
		loaded, err = ebpf.NewCollectionWithOptions(spec, options)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the NAT probe: %w", err)
	}
	unload := closeFunc(func() error { loaded.Close(); return nil })
	l, err := attachProbe(program, loaded.Programs[program])
	if err != nil {
		return nil, errors.Join(err, unload())
	}
	return closers{l, unload}, nil
}

func attachProbe(program string, p *ebpf.Program) (io.Closer, error) {
	l, err := probes[program](p)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the kernel has no %s (since Linux 4.18, when nf_nat is loaded)", natFunction)
	}
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", natFunction, err)
	}
	return l, nil
}

// isLoaded tells whether a kernel module is there.
func isLoaded(module string) bool {
	_, err := os.Stat("/sys/module/" + module)
	return err == nil
}

// natLookedFor is how often it is looked whether NAT has been loaded.
const natLookedFor = 2 * time.Second

// awaitNAT adds a probe once NAT is loaded, if there is none and nothing better. Nothing else changes: the programs go
// on as they are.
func (c *Capture) awaitNAT(ctx context.Context) {
	if !c.wantsProbe {
		return
	}
	tick := time.NewTicker(natLookedFor)
	defer tick.Stop()
	for !isLoaded(natModule) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	if err := c.addBestProbe(readKernel()); err != nil {
		c.log.Warn("nf_nat was loaded but cannot be watched: translations are learnt as before", "error", err)
	}
}

func (c *Capture) addBestProbe(k *kernel) error {
	var errs []error
	for _, a := range attempts {
		if a.choice.probe == "" || a.joined {
			continue
		}
		err := c.addProbe(k, a)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", a.name, explain(err)))
	}
	return errors.Join(errs...)
}

// addProbe puts the attempt's probe to work.
func (c *Capture) addProbe(k *kernel, a attempt) error {
	err := a.needs(k)
	if err == nil {
		a.choice.probing, err = openProbe(a.choice.probe, c.objects.SeineNat, c.space.inode)
	}
	if err != nil {
		return err
	}
	before := c.chosen()
	a.choice.netlink, a.choice.means = before.netlink, before.means
	a.choice.why = fmt.Sprintf("%s, since nf_nat was loaded; until then by %s", a.choice.describe(), before.source)
	c.choose(a.choice)
	c.log.Info("nf_nat was loaded: translations are learnt by a better means", "nat_source", a.name)
	return nil
}

// chosen returns where translations come from now.
func (c *Capture) chosen() choice {
	c.choiceMu.Lock()
	defer c.choiceMu.Unlock()
	return c.choice
}

func (c *Capture) choose(to choice) {
	c.choiceMu.Lock()
	defer c.choiceMu.Unlock()
	c.choice = to
}
