package scan

import "slices"

// groups numbers the distinct keys that it is shown, from 0. A key is a fixed number of words.
type groups struct {
	words int
	// keys holds the words of all groups, one after the other.
	keys []uint64
	// slots is an open-addressed table of group numbers plus one, its size a power of two.
	slots []uint32
	// limit is the largest number of groups; rows of others get refused as their group.
	limit int
}

// refused is the group of rows for which there was no room.
const refused = ^uint32(0)

const firstSlots = 1 << 10

func newGroups(words, limit int) *groups {
	return &groups{words: words, limit: limit, slots: make([]uint32, firstSlots)}
}

func (g *groups) len() int {
	if g.words == 0 {
		return 1
	}
	return len(g.keys) / g.words
}

// key returns the words of a group.
func (g *groups) key(group int) []uint64 { return g.keys[group*g.words : (group+1)*g.words] }

// assign sets the group of each row; columns holds the words of the rows' keys, word by word. It returns how many
// rows were refused.
func (g *groups) assign(columns [][]uint64, numbers []uint32) (refusals int) {
	if g.words == 0 {
		clear(numbers)
		return 0
	}
	key := make([]uint64, g.words)
	for i := range numbers {
		if i > 0 && sameAsBefore(columns, i) {
			numbers[i] = numbers[i-1]
		} else {
			for word, column := range columns {
				key[word] = column[i]
			}
			numbers[i] = g.number(key)
		}
		if numbers[i] == refused {
			refusals++
		}
	}
	return refusals
}

func sameAsBefore(columns [][]uint64, i int) bool {
	for _, column := range columns {
		if column[i] != column[i-1] {
			return false
		}
	}
	return true
}

// number returns the number of a key's group, a new one if there is room. The key without words is group 0.
func (g *groups) number(key []uint64) uint32 {
	if g.words == 0 {
		return 0
	}
	mask := uint64(len(g.slots) - 1)
	for slot := hash(key) & mask; ; slot = (slot + 1) & mask {
		taken := g.slots[slot]
		if taken == 0 {
			return g.add(key, slot)
		}
		if slices.Equal(g.key(int(taken-1)), key) {
			return taken - 1
		}
	}
}

func (g *groups) add(key []uint64, slot uint64) uint32 {
	number := uint32(g.len())
	if int(number) >= g.limit || slices.Contains(key, noRoom) {
		return refused
	}
	g.keys = append(g.keys, key...)
	g.slots[slot] = number + 1
	if 2*g.len() > len(g.slots) {
		g.grow()
	}
	return number
}

func (g *groups) grow() {
	g.slots = make([]uint32, 2*len(g.slots))
	mask := uint64(len(g.slots) - 1)
	for number := range g.len() {
		slot := hash(g.key(number)) & mask
		for g.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		g.slots[slot] = uint32(number) + 1
	}
}

// hash mixes words by multiplication with an odd constant (2^64 divided by the golden ratio) and a shift.
func hash(key []uint64) uint64 {
	var h uint64
	for _, word := range key {
		h = (h ^ word) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h
}
