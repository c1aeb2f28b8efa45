package local

import (
	"sync"

	"github.com/seine-net/seine/internal/store/local/wal"
)

// maxOrigins bounds how many origins are remembered. Beyond, the one that was silent longest is forgotten: only a
// repeat of what it sent before could then be kept twice.
const maxOrigins = 50_000

// origins remembers the highest sequence number of each origin.
type origins struct {
	mu   sync.Mutex
	all  map[string]*origin
	tick uint64
}

// origin is one of them. Its lock is held while a batch of it is appended, so that a repeat waits for the outcome.
type origin struct {
	sync.Mutex
	// sequence is the highest that is durable, known whether there is one; both are under origins.mu.
	sequence uint64
	known    bool
	used     uint64
}

func newOrigins() *origins { return &origins{all: make(map[string]*origin)} }

// acquire returns the origin, locked.
func (o *origins) acquire(name string) *origin {
	o.mu.Lock()
	entry := o.all[name]
	if entry == nil {
		o.forgetOne()
		entry = &origin{}
		o.all[name] = entry
	}
	o.tick++
	entry.used = o.tick
	o.mu.Unlock()
	entry.Lock()
	return entry
}

func (o *origins) forgetOne() {
	if len(o.all) < maxOrigins {
		return
	}
	oldest, least := "", o.tick+1
	for name, entry := range o.all {
		if entry.used < least {
			oldest, least = name, entry.used
		}
	}
	delete(o.all, oldest)
}

// has says whether the sequence number was kept before.
func (o *origins) has(entry *origin, sequence uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return entry.known && sequence <= entry.sequence
}

func (o *origins) set(entry *origin, sequence uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	entry.sequence, entry.known = sequence, true
}

// learn sets an origin's sequence number as the log has it, unless a higher one is known. It says whether it did.
func (o *origins) learn(name string, sequence uint64) bool {
	entry := o.acquire(name)
	defer entry.Unlock()
	if o.has(entry, sequence) {
		return false
	}
	o.set(entry, sequence)
	return true
}

// durable returns the numbers to begin a segment with.
func (o *origins) durable() wal.Origins {
	o.mu.Lock()
	defer o.mu.Unlock()
	durable := make(wal.Origins, len(o.all))
	for name, entry := range o.all {
		if entry.known {
			durable[name] = entry.sequence
		}
	}
	return durable
}
