package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// drops tells which packets the kernel dropped, in all of its network namespaces.
type drops struct {
	objects    bpf.DropObjects
	attached   link.Link
	errorNames []string
	// room is the size of the kernel's map.
	room uint32
	// netns is the namespace that is watched: drops there are told even where nothing is known of the connection.
	netns uint32
	// restricted tells that not every packet is to be counted: then drops of what no interface counted are none of ours.
	restricted bool
	// types finds out what conntrack's entries look like. looked is when it was last asked: see awaitEntries.
	types     func(*btf.Spec) (targets []*btf.Spec, found bool)
	looked    time.Time
	reasons   map[uint32]string
	functions map[uint64]string
	// symbols lists the kernel's functions; symbolsWhy is why their names cannot be told.
	symbols    string
	mu         sync.Mutex
	symbolsWhy error
	// noEntries tells that the kernel does not say what conntrack's entries look like; entriesWhy is why the program that reads
	// them was refused when it did.
	noEntries  bool
	entriesWhy error
	counted    map[bpf.DropKey]bpf.DropValue
	keys       []bpf.DropKey
	values     []bpf.DropValue
	// quiet counts packets that were freed in passing: see quietReasons.
	quiet atomic.Uint64
}

// dropBatch is the number of entries read by one system call.
const dropBatch = 1024

// quietReasons are those of packets that were of no more use, or that the kernel does not say anything of: no fault is
// to be seen in them. Where a packet was freed so the tracepoint is called all the same.
var quietReasons = map[string]bool{
	"NOT_SPECIFIED": true, "NOT_DROPPED_YET": true, "CONSUMED": true, "OTHERHOST": true, "PACKET_SOCK_ERROR": true, "SKB_CONSUMED": true,
	"TCP_OLD_DATA": true, "TCP_OLD_ACK": true, "TCP_CLOSE": true, "SOCKET_CLOSE": true, "DEV_READY": true, "QUEUE_PURGE": true,
	"SKB_GSO_SEG": true, "TCP_OFOMERGE": true, "TCP_TOO_OLD_ACK": true, "LOCAL_DELIVERED": true,
}

// openDrops loads the program and attaches it.
func openDrops(netns uint32, translates bool, room uint32) (*drops, error) {
	d := &drops{
		netns: netns, room: room, symbols: "/proc/kallsyms", functions: make(map[uint64]string), counted: make(map[bpf.DropKey]bpf.DropValue),
		keys: make([]bpf.DropKey, dropBatch), values: make([]bpf.DropValue, dropBatch), types: conntrackTypes,
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("drops: %w", errNoBTF)
	}
	d.reasons = dropReasons(kernel)
	if err := d.load(kernel, translates, &d.objects, nil); err != nil {
		return nil, err
	}
	if d.attached, err = attachDrops(d.objects.SeineDrop); err != nil {
		return nil, errors.Join(err, d.objects.Close())
	}
	return d, nil
}

func attachDrops(program *ebpf.Program) (link.Link, error) {
	l, err := link.AttachTracing(link.TracingOptions{Program: program})
	if err != nil {
		return nil, fmt.Errorf("attach to kfree_skb: %w", err)
	}
	return l, nil
}

// load loads what to has places for, with the maps given in place of its own.
func (d *drops) load(kernel *btf.Spec, translates bool, to any, maps map[string]*ebpf.Map) error {
	spec, err := bpf.LoadDrop()
	if err != nil {
		return fmt.Errorf("read the embedded BPF object: %w", err)
	}
	d.errorNames = enumNames(spec, "drop_error", "DROP_ERROR_")
	if d.reasons != nil {
		if err := spec.Variables["config_drop_reason"].Set(true); err != nil {
			return fmt.Errorf("set the programs' switches: %w", err)
		}
	}
	spec.Maps["seine_drops"].MaxEntries = d.room
	options := ebpf.CollectionOptions{MapReplacements: maps}
	if translates {
		if err := d.readEntries(spec, kernel, &options); err != nil {
			return err
		}
	}
	if err := undisturbed(func() error { return spec.LoadAndAssign(to, &options) }); err != nil {
		return fmt.Errorf("load the BPF program of drops: %w", err)
	}
	return nil
}

// entriesLookedFor is how often it is looked whether conntrack's types are known: that reads the kernel's BTF.
const entriesLookedFor = time.Minute

// awaitEntries has the program read conntrack's entries as soon as it is known what they look like: when the module is
// loaded. A packet that is dropped while one program takes the other's place is not told.
func (d *drops) awaitEntries() error {
	if lacks, why := d.lacksEntries(); !lacks || why != nil || time.Since(d.looked) < entriesLookedFor {
		return nil
	}
	d.looked = time.Now()
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return fmt.Errorf("drops: %w", err)
	}
	if _, found := d.types(kernel); !found {
		return nil
	}
	var renewed struct {
		Program *ebpf.Program `ebpf:"seine_drop"`
	}
	maps := map[string]*ebpf.Map{"seine_drops": d.objects.SeineDrops, "seine_drop_errors": d.objects.SeineDropErrors}
	if err := d.load(kernel, true, &renewed, maps); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.noEntries, d.entriesWhy = true, explain(err)
		return nil
	}
	if err := errors.Join(d.attached.Close(), d.objects.SeineDrop.Close()); err != nil {
		return err
	}
	d.objects.SeineDrop = renewed.Program
	d.attached, err = attachDrops(renewed.Program)
	return err
}

func (d *drops) lacksEntries() (lacks bool, why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.noEntries, d.entriesWhy
}

// conntrackTypes finds out where the kernel's BTF tells what conntrack's entries look like: targets are its modules', if
// it is there.
func conntrackTypes(kernel *btf.Spec) (targets []*btf.Spec, found bool) {
	var entry *btf.Struct
	if kernel.TypeByName("nf_conn", &entry) == nil {
		return nil, true
	}
	module, err := btf.LoadKernelModuleSpec("nf_conntrack")
	if err != nil || module.TypeByName("nf_conn", &entry) != nil {
		return nil, false
	}
	return []*btf.Spec{module}, true
}

// readEntries has the program read the entries of dropped packets that conntrack has not confirmed.
func (d *drops) readEntries(spec *ebpf.CollectionSpec, kernel *btf.Spec, options *ebpf.CollectionOptions) error {
	targets, found := d.types(kernel)
	d.mu.Lock()
	d.noEntries = !found
	d.mu.Unlock()
	if !found {
		return nil
	}
	options.Programs.ExtraRelocationTargets = targets
	if err := spec.Variables["config_conntrack_netns"].Set(d.netns); err != nil {
		return fmt.Errorf("set the programs' switches: %w", err)
	}
	return nil
}

// dropReasons reads the names of the reasons, those of subsystems included, which have numbers of their own
// (include/net/dropreason.h). Nil stands for a kernel that tells none (before Linux 5.17).
func dropReasons(kernel *btf.Spec) map[uint32]string {
	var core *btf.Enum
	if kernel.TypeByName("skb_drop_reason", &core) != nil {
		return nil
	}
	names := make(map[uint32]string)
	addReasons(names, core, "SKB_DROP_REASON_", "SKB_")
	for _, subsystem := range []struct{ module, enum, prefix string }{
		{"mac80211", "mac80211_drop_reason", "___RX_DROP_"}, {"openvswitch", "ovs_drop_reason", ""},
	} {
		var e *btf.Enum
		spec := kernel
		if m, err := btf.LoadKernelModuleSpec(subsystem.module); err == nil {
			spec = m
		}
		if spec.TypeByName(subsystem.enum, &e) == nil {
			addReasons(names, e, subsystem.prefix)
		}
	}
	return names
}

func addReasons(to map[uint32]string, e *btf.Enum, prefixes ...string) {
	for _, v := range e.Values {
		name := v.Name
		for _, prefix := range prefixes {
			if short, ok := strings.CutPrefix(name, prefix); ok {
				name = short
				break
			}
		}
		if _, known := to[uint32(v.Value)]; !known {
			to[uint32(v.Value)] = name
		}
	}
}

// evict tells what was dropped since the last call.
func (d *drops) evict(c clock, tell func([]nat.Fact)) error {
	if err := d.awaitEntries(); err != nil {
		return err
	}
	grown, err := d.read()
	if err != nil {
		return err
	}
	d.learnFunctions(grown)
	facts := make([]nat.Fact, 0, len(grown))
	for _, g := range grown {
		reason := d.reasonName(g.key.Reason)
		facts = append(facts, nat.Fact{
			Proto: flow.Proto(g.key.Proto),
			Src:   nat.Point{Addr: g.key.Src, Port: g.key.Sport}, Dst: nat.Point{Addr: g.key.Dst, Port: g.key.Dport},
			First: c.time(g.first), Last: c.time(g.last),
			Sent:  flow.Faults{DropPackets: g.packets, DropBytes: g.bytes},
			Drop:  &flow.Drop{Reason: reason, Function: d.functions[g.key.Location]},
			NetNS: g.key.Netns, Alone: !d.restricted && g.key.Netns == d.netns && isTransport(flow.Proto(g.key.Proto)),
			Entry: g.entry,
		})
	}
	tell(facts)
	return nil
}

// isTransport tells whether dropped packets of a protocol make a record even where no interface counted any: the kernel
// frees many of the others in passing, such as group reports before an address is there, and behind extension headers.
func isTransport(p flow.Proto) bool { return p == flow.TCP || p == flow.UDP || p == flow.SCTP }

// growth is how much an entry grew since it was last read.
type growth struct {
	key            bpf.DropKey
	packets, bytes uint64
	first, last    uint64
	entry          *nat.Entry
}

// dyingEntry returns the conntrack entry that went with the packet, nil if none did.
func dyingEntry(v *bpf.DropValue) *nat.Entry {
	e := &v.Entry
	if e.Proto == 0 {
		return nil
	}
	return &nat.Entry{
		Source: flow.KFunc, Proto: flow.Proto(e.Proto), Zone: e.Zone,
		OrigSrc:  nat.Point{Addr: e.Orig.Src.Bytes, Port: e.Orig.Sport},
		OrigDst:  nat.Point{Addr: e.Orig.Dst.Bytes, Port: e.Orig.Dport},
		ReplySrc: nat.Point{Addr: e.Reply.Src.Bytes, Port: e.Reply.Sport},
		ReplyDst: nat.Point{Addr: e.Reply.Dst.Bytes, Port: e.Reply.Dport},
	}
}

// read goes through the map and forgets the entries that have stopped growing.
func (d *drops) read() (grown []growth, err error) {
	var cursor ebpf.MapBatchCursor
	seen := make(map[bpf.DropKey]bpf.DropValue, len(d.counted))
	for {
		n, err := d.objects.SeineDrops.BatchLookup(&cursor, d.keys, d.values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil, fmt.Errorf("read the map of drops: %w", err)
		}
		for i := range n {
			key, now := d.keys[i], d.values[i]
			before := d.counted[key]
			if quietReasons[d.reasonName(key.Reason)] {
				// Busy servers have one for each connection: they must not take the room of others.
				d.take(key, &now)
				d.quiet.Add(now.Packets)
				continue
			}
			if now.Packets == before.Packets && before.Packets > 0 {
				d.take(key, &now)
			} else {
				seen[key] = now
			}
			first := now.FirstNs
			if before.Packets > 0 {
				first = before.LastNs
			}
			if now.Packets > before.Packets {
				grown = append(grown, growth{key, now.Packets - before.Packets, now.Bytes - before.Bytes, first, now.LastNs, dyingEntry(&now)})
			}
		}
		if err != nil {
			break
		}
	}
	d.counted = seen
	return grown, nil
}

// take deletes an entry, and reads for the last time what it grew to: a retransmission may be dropped just then. Before
// Linux 5.14 that takes two calls.
func (d *drops) take(key bpf.DropKey, last *bpf.DropValue) {
	m := d.objects.SeineDrops
	if err := m.LookupAndDelete(key, last); errors.Is(err, ebpf.ErrNotSupported) && m.Lookup(key, last) == nil {
		_ = m.Delete(key) // Nobody else deletes it.
	}
}

// reasonName returns the kernel's name of a reason, its number where it has none, "" where the kernel tells none.
func (d *drops) reasonName(reason uint32) string {
	if d.reasons == nil {
		return ""
	}
	if name := d.reasons[reason]; name != "" {
		return name
	}
	return strconv.FormatUint(uint64(reason), 10)
}

// learnFunctions finds the names of functions that dropped and are not known yet. Where it cannot, drops are told without
// them.
func (d *drops) learnFunctions(grown []growth) {
	var unknown []uint64
	for _, g := range grown {
		if _, known := d.functions[g.key.Location]; !known {
			d.functions[g.key.Location] = ""
			unknown = append(unknown, g.key.Location)
		}
	}
	if len(unknown) == 0 {
		return
	}
	err := d.nameFunctions(unknown)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.symbolsWhy = err
}

// nameFunctions reads the kernel's symbols. Those without the privilege get all addresses as zero (kptr_restrict in
// sysctl.kernel(5)), which is an error, too.
func (d *drops) nameFunctions(addresses []uint64) error {
	file, err := os.Open(d.symbols)
	if err != nil {
		return fmt.Errorf("read the kernel's symbols: %w", err)
	}
	defer file.Close()
	if err := findFunctions(bufio.NewScanner(file), addresses, d.functions); err != nil {
		return fmt.Errorf("read %s: %w", d.symbols, err)
	}
	if !slices.ContainsFunc(addresses, func(a uint64) bool { return d.functions[a] != "" }) {
		return fmt.Errorf("%s hides addresses: want the capability CAP_SYSLOG, or the sysctl kernel.kptr_restrict=0", d.symbols)
	}
	return nil
}

// unnamed returns why functions have no names; nil if they have, or none was looked up.
func (d *drops) unnamed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.symbolsWhy
}

// findFunctions reads lines of /proc/kallsyms, which are in no order, and names each address after the text symbol next
// before it.
func findFunctions(lines *bufio.Scanner, addresses []uint64, names map[uint64]string) error {
	slices.Sort(addresses)
	nearest := make([]uint64, len(addresses))
	for lines.Scan() {
		address, rest, ok := bytes.Cut(lines.Bytes(), []byte(" "))
		if !ok || len(rest) < 3 || !bytes.ContainsRune([]byte("tTwW"), rune(rest[0])) {
			continue
		}
		at, err := strconv.ParseUint(string(address), 16, 64)
		if err != nil || at == 0 {
			continue
		}
		from, _ := slices.BinarySearch(addresses, at)
		for i := from; i < len(addresses) && nearest[i] <= at; i++ {
			if nearest[i] < at {
				name, _, _ := bytes.Cut(rest[2:], []byte("\t"))
				nearest[i], names[addresses[i]] = at, string(name)
			}
		}
	}
	return lines.Err()
}

var dropErrorDetails = map[string]string{
	"full":   "dropped packets not told of as too many connections had some; raise the map size (--max-flows)",
	"not_ip": "dropped packets that are not of IP, and in no record",
}

func (d *drops) losses() (out []Loss) {
	for reason, name := range d.errorNames {
		out = append(out, Loss{Reason: "drops_" + name, Count: sumOf(d.objects.SeineDropErrors, reason), Detail: dropErrorDetails[name]})
	}
	return append(out, Loss{
		Reason: "drops_quiet", Count: d.quiet.Load(),
		Detail: "packets freed for reasons that are no fault, such as the end of a connection: in no record",
	})
}

// Close detaches and unloads.
func (d *drops) Close() error { return errors.Join(d.attached.Close(), d.objects.Close()) }

// openDrops prepares drops where they are asked for. Without them all else works.
func (c *Capture) openDrops() {
	if !c.config.has(FeatureDrops) {
		return
	}
	if c.drops, c.dropsWhy = openDrops(c.space.inode, c.config.NATSource != SourceNone, max(c.config.MaxFlows/2, 1)); c.dropsWhy != nil {
		c.dropsWhy = explain(c.dropsWhy)
		c.log.Warn("drops are not watched", "error", c.dropsWhy)
		return
	}
	c.drops.restricted = c.config.isRestricted()
	c.closers = append(c.closers, c.drops)
}

// dropFeature tells what became of drops.
func (c *Capture) dropFeature() Feature {
	f := Feature{Name: FeatureDrops, State: Live, Means: "kfree_skb", Detail: "reasons of the running kernel"}
	switch {
	case c.dropsWhy != nil:
		f.State, f.Means, f.Detail = Degraded, "none", "dropped packets are not told: "+c.dropsWhy.Error()
	case c.drops == nil:
		f.State, f.Means, f.Detail = Off, "none", "not asked for"
	case c.drops.reasons == nil:
		f.State, f.Detail = Degraded, "functions alone: the kernel tells no reasons (since Linux 5.17)"
	}
	if c.drops != nil && c.drops.unnamed() != nil {
		f.State, f.Detail = Degraded, f.Detail+"; no function is named: "+c.drops.unnamed().Error()
	}
	if c.drops == nil {
		return f
	}
	const untold = "; Services of connections whose first packet is dropped are not told"
	switch lacks, why := c.drops.lacksEntries(); {
	case why != nil:
		f.State, f.Detail = Degraded, f.Detail+untold+": "+why.Error()
	case lacks:
		f.Detail += untold + ", until nf_conntrack is loaded: no nf_conn in the kernel's BTF"
	}
	return f
}
