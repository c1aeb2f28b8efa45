package live

// recent is a bounded map of entries. When it is full, the entry that was used least recently leaves.
type recent struct {
	limit int
	index map[key]*entry
	// ends.older is the newest entry and ends.newer the oldest.
	ends entry
}

func newRecent(limit int) *recent {
	r := &recent{limit: limit, index: make(map[key]*entry)}
	r.ends.newer, r.ends.older = &r.ends, &r.ends
	return r
}

// use marks an entry as the newest.
func (r *recent) use(e *entry) {
	if r.ends.older == e {
		return
	}
	r.unlink(e)
	r.link(e)
}

// insert returns a new entry. Its memory is that of the oldest one if the map is full, of which a copy is returned.
func (r *recent) insert(k key) (e *entry, left row) {
	if len(r.index) >= r.limit {
		e = r.ends.newer
		left = e.row
		delete(r.index, e.key)
		r.unlink(e)
	} else {
		e = new(entry)
	}
	*e = entry{row: row{key: k}}
	r.index[k] = e
	r.link(e)
	return e, left
}

func (r *recent) unlink(e *entry) { e.newer.older, e.older.newer = e.older, e.newer }

func (r *recent) link(e *entry) {
	e.newer, e.older = &r.ends, r.ends.older
	e.older.newer, r.ends.older = e, e
}

// each calls f for the entries, newest first.
func (r *recent) each(f func(*entry)) {
	for e := r.ends.older; e != &r.ends; e = e.older {
		f(e)
	}
}
