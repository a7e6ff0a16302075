package store

import (
	"context"
	"errors"
	"sync"
)

// A deleted row stays in lower levels of the database until they are merged.
// The scrubber merges them for the rows of erased participants, soon after; what
// a crash keeps it from is done after the next Open.
type scrubber struct {
	store *Store
	done  sync.WaitGroup
	ctx   context.Context
	end   context.CancelFunc
	wake  chan struct{}

	mu   sync.Mutex // guards list
	list []Ordinal
}

// A tombstone says whether the traces are gone.
const (
	unscrubbed = iota
	scrubbed
)

func (c *scrubber) start(s *Store) {
	c.store, c.wake = s, make(chan struct{}, 1)
	c.ctx, c.end = context.WithCancel(context.Background())
	c.done.Go(func() {
		c.add(s.tombstones())
		for {
			select {
			case <-c.ctx.Done():
				return
			case <-c.wake:
				c.run()
			}
		}
	})
}

func (c *scrubber) stop() {
	c.end()
	c.done.Wait()
}

// add puts erased participants on the list.
func (c *scrubber) add(erased []Ordinal) {
	if len(erased) == 0 {
		return
	}
	c.mu.Lock()
	c.list = append(c.list, erased...)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run works the list off.
func (c *scrubber) run() {
	c.mu.Lock()
	list := c.list
	c.list = nil
	c.mu.Unlock()
	for _, o := range list {
		if err := c.store.scrub(c.ctx, o); err != nil {
			if !errors.Is(err, context.Canceled) {
				c.store.config.Logger.Warn("traces of an erased participant stay on disk until the next start", "error", err)
			}
			return
		}
	}
}

// scrub merges the places on disk where a participant's rows were.
func (s *Store) scrub(ctx context.Context, o Ordinal) error {
	for _, table := range []byte{tableContacts, tablePlaces, tableParticipant} {
		key := ordinalKey(table, o)
		if err := s.db.Compact(ctx, key, append(ordinalKey(table, o), 0), false); err != nil {
			return err
		}
	}
	key := ordinalKey(tableErased, o)
	value, err := read(s.db, key)
	if err != nil {
		return err
	}
	if len(value) < 2 {
		return corrupt(tableErased, errValue)
	}
	value[1] = scrubbed
	return s.db.Set(key, value, nil)
}

// tombstones lists the erased whose traces may still be there.
func (s *Store) tombstones() []Ordinal {
	var list []Ordinal
	for r, err := range s.scan([]byte{tableErased}) {
		if err != nil {
			s.config.Logger.Error("tombstones cannot be read", "error", err)
			break
		}
		if o, err := parseOrdinal(r.key); err == nil && len(r.value) > 1 && r.value[1] == unscrubbed {
			list = append(list, o)
		}
	}
	return list
}
