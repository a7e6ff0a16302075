package store

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Tx is one [Store.Update]. It reads what it wrote. It is of no use once its
// function has returned, and must stay in that function's goroutine.
type Tx struct {
	store   *Store
	batch   *pebble.Batch
	state   state
	changed bool // state is to be written
	err     error
	classes [][]byte          // interned here
	numbers map[string]uint32 // of those
	erased  []Ordinal
	applied []func()
}

func (s *Store) begin() *Tx {
	return &Tx{store: s, batch: s.db.NewIndexedBatch(), state: s.state}
}

// OnApply has fn run once the writes can be read, before the next Update begins
// and before this one has returned: what Updates show to others, they show in
// order of commit. fn must not block, nor use the Tx.
func (tx *Tx) OnApply(fn func()) { tx.applied = append(tx.applied, fn) }

// set keeps the first failure of a write; Update returns it.
func (tx *Tx) set(key, value []byte) {
	if err := tx.batch.Set(key, value, nil); err != nil && tx.err == nil {
		tx.err = err
	}
}

func (tx *Tx) delete(key []byte) {
	if err := tx.batch.Delete(key, nil); err != nil && tx.err == nil {
		tx.err = err
	}
}

func (tx *Tx) get(key []byte) ([]byte, error) { return read(tx.batch, key) }

// change gives the state to be changed.
func (tx *Tx) change() *state {
	if !tx.changed {
		tx.state, tx.changed = tx.state.clone(), true
	}
	return &tx.state
}

// intern gives the number of a class.
func (tx *Tx) intern(class []byte) uint32 {
	if n, ok := tx.store.classIDs[string(class)]; ok {
		return n
	}
	if n, ok := tx.numbers[string(class)]; ok {
		return n
	}
	if tx.numbers == nil {
		tx.numbers = map[string]uint32{}
	}
	n := uint32(len(tx.store.classes) + len(tx.classes))
	tx.classes = append(tx.classes, slices.Clone(class))
	tx.numbers[string(class)] = n
	return n
}

// seal adds the rows that are written once an Update.
func (tx *Tx) seal() {
	first := len(tx.store.classes)
	for i, class := range tx.classes {
		tx.set(ordinalKey(tableClass, Ordinal(first+i)), append([]byte{version}, class...))
	}
	if tx.changed {
		tx.set(textKey(tableMeta, "state"), tx.state.encode())
	}
}

// published takes over what the writes mean for memory. The writer lock is held.
func (tx *Tx) published() {
	s := tx.store
	s.state = tx.state
	s.next.Store(uint32(s.state.Next))
	if len(tx.classes) > 0 {
		s.mu.Lock()
		for _, class := range tx.classes {
			s.classIDs[string(class)] = uint32(len(s.classes))
			s.classes = append(s.classes, class)
		}
		s.mu.Unlock()
	}
	for _, fn := range tx.applied {
		fn()
	}
	s.sequence.Store(s.state.Sequence)
	s.scrubs.add(tx.erased)
}
