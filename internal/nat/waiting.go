package nat

import "iter"

// waitingBlock is the number of observations allocated at a time.
const waitingBlock = 4096

// waiting holds observations for which no connection is known yet. Its memory grows by blocks and is used again, as
// copying it to larger and larger pieces would make several times as much garbage.
type waiting struct {
	blocks [][]Observation
	used   int
}

func (w *waiting) add(o *Observation) {
	block, at := w.used/waitingBlock, w.used%waitingBlock
	if block == len(w.blocks) {
		w.blocks = append(w.blocks, make([]Observation, waitingBlock))
	}
	w.blocks[block][at] = *o
	w.used++
}

// all yields the observations in the order in which they were added.
func (w *waiting) all() iter.Seq[*Observation] {
	return func(yield func(*Observation) bool) {
		for i := range w.used {
			if !yield(&w.blocks[i/waitingBlock][i%waitingBlock]) {
				return
			}
		}
	}
}

// clear forgets the observations and gives back the memory of those that were not there for long.
func (w *waiting) clear() {
	keep := (w.used + waitingBlock - 1) / waitingBlock
	clear(w.blocks[keep:])
	w.blocks, w.used = w.blocks[:keep], 0
}
