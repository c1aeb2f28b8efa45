package capture

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// underway is longer than a packet takes from its first rewrite to its last.
const underway = flow.Time(5e6)

// drainProbe hands on the translations that the probe saw, as of the time of the flow map's swap. One whose first
// packet may still be between its two rewrites waits for the next eviction, and is forgotten if more is known of it
// by then.
func (c *Capture) drainProbe(clock clock, end flow.Time, learn func([]nat.Translation)) error {
	now := c.chosen()
	if now.probe == "" {
		return nil
	}
	waited := c.unfinished
	c.unfinished = nil
	err := c.drainTranslations(func(keys []bpf.TranslationKey, values []bpf.Translation) {
		batch := make([]nat.Translation, 0, len(keys))
		for i := range keys {
			delete(waited, firstOf(keys[i]))
			if keys[i].Reply == (bpf.Tuple{}) && clock.time(values[i].LastNs) > end-underway && len(c.unfinished) < maxUnfinished {
				c.wait(keys[i], values[i])
				continue
			}
			batch = append(batch, translation(&values[i], now.source, clock))
		}
		learn(batch)
	})
	for _, v := range waited {
		learn([]nat.Translation{translation(&v, now.source, clock)})
	}
	return err
}

// maxUnfinished bounds the translations that wait; with more, they are taken as they are.
const maxUnfinished = 4096

func (c *Capture) wait(k bpf.TranslationKey, v bpf.Translation) {
	if c.unfinished == nil {
		c.unfinished = make(map[bpf.TranslationKey]bpf.Translation)
	}
	c.unfinished[k] = v
}

// firstOf returns the key under which a connection's first packet is noted.
func firstOf(k bpf.TranslationKey) bpf.TranslationKey {
	k.Reply = bpf.Tuple{}
	return k
}

func (c *Capture) drainTranslations(take func([]bpf.TranslationKey, []bpf.Translation)) error {
	keys, values := make([]bpf.TranslationKey, batchSize), make([]bpf.Translation, batchSize)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := c.objects.SeineNat.BatchLookupAndDelete(&cursor, keys, values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("drain the NAT probe's map: %w", err)
		}
		take(keys[:n], values[:n])
		if err != nil {
			return nil
		}
	}
}

func translation(v *bpf.Translation, source flow.NATSource, c clock) nat.Translation {
	e := entry(&v.Entry, source)
	t := e.Translation()
	if v.StartNs != 0 {
		t.Start = c.time(v.StartNs)
	}
	return t
}
