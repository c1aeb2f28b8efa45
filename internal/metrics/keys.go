package metrics

import (
	"slices"
	"strings"
	"time"
)

// idle is how long nothing is added to a key before it gives its room up.
const idle = time.Hour

// maxLabel bounds a label's value, in bytes: as long as any name in Kubernetes.
const maxLabel = 253

// otherSlot is the place of the key "other", which is always there.
const otherSlot = 0

// keys are the keys of a grouping, each with a place that the sums have, too. There are at most limit beside the other.
type keys struct {
	limit int
	slots map[string]int32
	// labels and last have for each place the labels' values, nil where it is free, and when something was added last.
	labels [][]string
	last   []time.Time
	free   []int32
	// others counts rows that were added under the other key, expired the keys that gave their room up.
	others, expired uint64
	// name is a key on its way.
	name []byte
}

func newKeys(limit, labels int) keys {
	other := slices.Repeat([]string{otherValue}, labels)
	return keys{
		limit: limit, labels: [][]string{other}, last: make([]time.Time, 1),
		slots: map[string]int32{joined(other): otherSlot},
	}
}

// slot returns the place of a key, the other's where there is no room for a new one. It changes the values into ones
// that labels may have, and keeps no hold of them.
func (k *keys) slot(values []string) int32 {
	for i, v := range values {
		values[i] = labelValue(v)
	}
	k.name = appendJoined(k.name[:0], values)
	slot, ok := k.slots[string(k.name)]
	if !ok && len(k.slots) <= k.limit {
		slot = k.place(cloned(values))
		k.slots[string(k.name)] = slot
	}
	return slot
}

// place finds room for a key.
func (k *keys) place(values []string) int32 {
	if n := len(k.free); n > 0 {
		slot := k.free[n-1]
		k.free = k.free[:n-1]
		k.labels[slot] = values
		return slot
	}
	k.labels, k.last = append(k.labels, values), append(k.last, time.Time{})
	return int32(len(k.labels) - 1)
}

// expire frees the places of keys that nothing was added to for long, and returns them.
func (k *keys) expire(now time.Time) (freed []int32) {
	for slot := otherSlot + 1; slot < len(k.labels); slot++ {
		if k.labels[slot] == nil || now.Sub(k.last[slot]) < idle {
			continue
		}
		delete(k.slots, joined(k.labels[slot]))
		k.labels[slot] = nil
		freed = append(freed, int32(slot))
	}
	k.free = append(k.free, freed...)
	k.expired += uint64(len(freed))
	return freed
}

// size is how many keys there are beside the other.
func (k *keys) size() int { return len(k.slots) - 1 }

// joined makes one text of the values; the byte between them is in no UTF-8.
func joined(values []string) string { return string(appendJoined(nil, values)) }

func appendJoined(dst []byte, values []string) []byte {
	for _, v := range values {
		dst = append(append(dst, v...), 0xff)
	}
	return dst
}

// labelValue makes a text one that a label may have.
func labelValue(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxLabel)], "")
}

// cloned copies texts, so that they keep no batch alive.
func cloned(values []string) []string {
	values = slices.Clone(values)
	for i, v := range values {
		values[i] = strings.Clone(v)
	}
	return values
}
