package store

import "github.com/cockroachdb/pebble/v2"

// Reach is how a participant is reached on a channel.
type Reach struct {
	Found    bool   // it has a contact there; false also if it was erased
	Contact  string // unsealed
	Language string // "": the network's
}

// near is how many rows forward a seek is dearer than stepping. Participants of
// one street have neighbouring ordinals.
const near = 8

// Reach appends how each of the participants is reached on a channel to dst, in
// the order of ordinals, which must ascend. Contacts stay unsealed no longer
// than the caller keeps dst.
func (s *Store) Reach(channel string, ordinals []uint32, dst []Reach) ([]Reach, error) {
	if len(ordinals) == 0 {
		return dst, nil
	}
	if s.closed.Load() {
		return dst, ErrClosed
	}
	first, last := ordinals[0], ordinals[len(ordinals)-1]
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: ordinalKey(tableContacts, Ordinal(first)),
		UpperBound: append(ordinalKey(tableContacts, Ordinal(last)), 0),
	})
	if err != nil {
		return dst, err
	}
	defer func() { _ = it.Close() }() // its error is that of it.Error
	at, ok := Ordinal(0), it.First()
	for _, wanted := range ordinals {
		o := Ordinal(wanted)
		for step := 0; ok; step++ {
			if at, err = parseOrdinal(it.Key()); err != nil {
				return dst, corrupt(tableContacts, err)
			}
			if at >= o {
				break
			}
			if step < near {
				ok = it.Next()
			} else {
				ok = it.SeekGE(ordinalKey(tableContacts, o))
			}
		}
		var r Reach
		if ok && at == o {
			if r, err = s.reach(it, o, channel); err != nil {
				return dst, err
			}
		}
		dst = append(dst, r)
	}
	return dst, it.Error()
}

// reach unseals the row that it stands on.
func (s *Store) reach(it *pebble.Iterator, o Ordinal, channel string) (Reach, error) {
	value, err := it.ValueAndErr()
	if err != nil {
		return Reach{}, corrupt(tableContacts, err)
	}
	plain, err := s.seals.unseal(o, value)
	if err != nil {
		return Reach{}, corrupt(tableContacts, err)
	}
	var r Reach
	r.Language, err = contactsIn(plain, func(name, contact []byte) bool {
		r.Found = string(name) == channel
		if r.Found {
			r.Contact = string(contact)
		}
		return !r.Found
	})
	clear(plain)
	if err != nil {
		return Reach{}, corrupt(tableContacts, err)
	}
	return r, nil
}
