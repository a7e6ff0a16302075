package store

import (
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Participant reads one whole, contacts included. [ErrNotFound] if there is
// none of that ID.
func (s *Store) Participant(id string) (*Participant, error) {
	value, err := s.get(textKey(tableID, id))
	if err != nil {
		return nil, err
	}
	ordinal, err := decodeNumber(value)
	if err != nil {
		return nil, corrupt(tableID, err)
	}
	k, err := load(s.db, s.seals, Ordinal(ordinal))
	if err != nil {
		return nil, err
	}
	return k.Participant, nil
}

// Participants reads all whose ID is above one, in order of ID, "" for all. They
// are as they are when each is reached.
func (s *Store) Participants(above string) iter.Seq2[*Participant, error] {
	first := textKey(tableID, above+"\x00") // the first ID above it
	if above == "" {
		first = []byte{tableID}
	}
	ordinals := decoded(s.between(first, after([]byte{tableID})), tableID,
		func(_, value []byte) (uint32, error) { return decodeNumber(value) })
	return func(yield func(*Participant, error) bool) {
		for o, err := range ordinals {
			var k *known
			if err == nil {
				k, err = load(s.db, s.seals, Ordinal(o))
			}
			switch {
			case errors.Is(err, ErrNotFound): // erased meanwhile
				continue
			case err != nil:
				yield(nil, err)
				return
			case !yield(k.Participant, nil):
				return
			}
		}
	}
}

// load reads a participant's three rows.
func load(from pebble.Reader, keys *seals, o Ordinal) (*known, error) {
	var values [3][]byte
	for i, table := range []byte{tableParticipant, tablePlaces, tableContacts} {
		var err error
		if values[i], err = read(from, ordinalKey(table, o)); err != nil {
			return nil, err
		}
	}
	places, err := decodePlaces(nil, values[1])
	if err != nil {
		return nil, corrupt(tablePlaces, err)
	}
	p, err := decodeParticipant(values[0], places)
	if err != nil {
		return nil, corrupt(tableParticipant, err)
	}
	plain, err := keys.unseal(o, values[2])
	if err != nil {
		return nil, corrupt(tableContacts, err)
	}
	if p.Contacts, err = decodeContacts(plain); err != nil {
		return nil, corrupt(tableContacts, err)
	}
	return &known{Participant: p, ordinal: o, places: places}, nil
}

// ID is the participant of an ordinal. Not ok: it was erased, or never was.
func (s *Store) ID(o Ordinal) (id string, ok bool, err error) {
	value, err := s.get(ordinalKey(tableParticipant, o))
	if errors.Is(err, ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	r := open(value)
	if id = r.Text(maxID); r.Failed {
		return "", false, corrupt(tableParticipant, errValue)
	}
	return id, true, nil
}

// Places reads the points of a participant's places; none if it was erased.
func (s *Store) Places(o Ordinal) ([]PlaceRow, error) {
	value, err := s.get(ordinalKey(tablePlaces, o))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := decodePlaces(nil, value)
	if err != nil {
		return nil, corrupt(tablePlaces, err)
	}
	return rows, nil
}

// IndexRow is a participant as the index sees it.
type IndexRow struct {
	Ordinal Ordinal
	Places  []PlaceRow // at least one
}

const (
	indexChunk   = 8192
	indexReaders = 2
)

// Index hands over every participant that has a point, in chunks, ascending by
// ordinal within each. It calls yield from several goroutines at once; a chunk
// is yield's to use until it returns. The first error ends it.
func (s *Store) Index(yield func([]IndexRow) error) error {
	next := uint64(s.next.Load())
	var group sync.WaitGroup
	errs := make([]error, indexReaders)
	for i := range indexReaders {
		first, end := next*uint64(i)/indexReaders, next*uint64(i+1)/indexReaders
		group.Go(func() { errs[i] = s.indexPart(Ordinal(first), Ordinal(end), yield) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func (s *Store) indexPart(first, end Ordinal, yield func([]IndexRow) error) error {
	chunk := make([]IndexRow, 0, indexChunk)
	places := make([]PlaceRow, 0, 2*indexChunk)
	flush := func() error {
		err := yield(chunk)
		chunk, places = chunk[:0], places[:0]
		return err
	}
	for r, err := range s.between(ordinalKey(tablePlaces, first), ordinalKey(tablePlaces, end)) {
		if err != nil {
			return err
		}
		ordinal, err := parseOrdinal(r.key)
		if err != nil {
			return corrupt(tablePlaces, err)
		}
		from := len(places)
		if places, err = decodePlaces(places, r.value); err != nil {
			return corrupt(tablePlaces, err)
		}
		if own := slices.Clip(places[from:]); len(own) > 0 {
			chunk = append(chunk, IndexRow{Ordinal: ordinal, Places: own})
		}
		if len(chunk) == indexChunk {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// Links reads all that share a contact.
func (s *Store) Links() iter.Seq2[Link, error] {
	return rows(s, []byte{tableLink}, decodeLink)
}

// Changes reads which participants were changed after a sequence number, in
// order; one that was changed twice comes twice.
func (s *Store) Changes(sequence uint64) iter.Seq2[Ordinal, error] {
	in := s.between(sequenceKey(tableChange, sequence+1), after([]byte{tableChange}))
	return decoded(in, tableChange, func(_, value []byte) (Ordinal, error) {
		n, err := decodeNumber(value)
		return Ordinal(n), err
	})
}
