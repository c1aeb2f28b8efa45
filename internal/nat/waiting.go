package nat

import "iter"

// sighting is an observation that is kept until its interval's end, linked to those of the same connection.
type sighting = link[Observation]

// waiting holds observations. Its memory comes in blocks and is used again, as copying it to larger and larger pieces would
// make several times as much garbage.
type waiting struct {
	pool   *pool
	blocks []*block
	used   int
}

// block is the memory that is allocated at a time.
type block [4096]sighting

// add keeps an observation, but not its entry.
func (w *waiting) add(o *Observation) *sighting {
	if w.used == len(w.blocks)*len(block{}) {
		w.blocks = append(w.blocks, w.pool.take())
	}
	s := w.at(w.used)
	s.value = *o
	s.value.Entry = nil
	w.used++
	return s
}

// at is the place of the i-th observation.
func (w *waiting) at(i int) *sighting { return &w.blocks[i/len(block{})][i%len(block{})] }

// all yields the observations in the order in which they were added.
func (w *waiting) all() iter.Seq[*sighting] {
	return func(yield func(*sighting) bool) {
		for i := range w.used {
			if !yield(w.at(i)) {
				return
			}
		}
	}
}

// keep forgets all but some, which are in the order in which they were added. These move up.
func (w *waiting) keep(some []*sighting) {
	for i, s := range some {
		w.at(i).value = s.value
	}
	w.used = len(some)
	blocks := (w.used + len(block{}) - 1) / len(block{})
	w.pool.spare = append(w.pool.spare, w.blocks[blocks:]...)
	clear(w.blocks[blocks:])
	w.blocks = w.blocks[:blocks]
}

// pool has the blocks that nothing is in.
type pool struct{ spare []*block }

func (p *pool) take() *block {
	last := len(p.spare) - 1
	if last < 0 {
		return new(block)
	}
	b := p.spare[last]
	p.spare[last], p.spare = nil, p.spare[:last]
	return b
}

// trim gives back a quarter of the blocks that are more than some: a burst seldom comes alone.
func (p *pool) trim(some int) {
	keep := max(some, len(p.spare)*3/4)
	if keep < len(p.spare) {
		clear(p.spare[keep:])
		p.spare = p.spare[:keep]
	}
}
