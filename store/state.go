package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/cockroachdb/pebble/v2"
)

// state is what the store knows of itself: counters, and the end of the audit
// chain. It is written with every change of it.
type state struct {
	Version      int            `json:"version"`
	Sequence     uint64         `json:"sequence"` // of the last change of a participant
	Next         Ordinal        `json:"next"`     // first that was never given out
	Group        uint32         `json:"group"`    // last number given to a shared contact
	Participants int            `json:"participants"`
	Places       int            `json:"places"`
	Contacts     map[string]int `json:"contacts"` // by channel
	Audited      uint64         `json:"audited"`  // audit records
	Head         []byte         `json:"head"`     // hash of the last of them
}

func (s state) encode() []byte {
	s.Version = version
	value, _ := json.Marshal(s) // numbers and strings: cannot fail
	return value
}

func decodeState(value []byte) (state, error) {
	var s state
	if err := json.Unmarshal(value, &s); err != nil {
		return s, errValue
	}
	if s.Version != version {
		return s, fmt.Errorf("version %d, this program reads %d", s.Version, version)
	}
	return s, nil
}

func (s state) clone() state {
	s.Contacts = maps.Clone(s.Contacts)
	if s.Contacts == nil {
		s.Contacts = map[string]int{}
	}
	return s
}

// count adds a participant to the counters, or with sign -1 takes one off.
func (s *state) count(p *Participant, sign int) {
	s.Participants += sign
	s.Places += sign * len(p.Places)
	for channel := range p.Contacts {
		if s.Contacts[channel] += sign; s.Contacts[channel] == 0 {
			delete(s.Contacts, channel)
		}
	}
}

// Stats counts what is in the store.
type Stats struct {
	Participants int
	Places       int
	Contacts     map[string]int // by channel
	Sequence     uint64         // of the last change of a participant
	Bytes        uint64         // on disk, log included
}

// Stats counts; it costs microseconds.
func (s *Store) Stats() Stats {
	s.write.Lock()
	defer s.write.Unlock()
	if s.closed.Load() {
		return Stats{}
	}
	at := s.state.clone()
	return Stats{
		Participants: at.Participants, Places: at.Places, Contacts: at.Contacts,
		Sequence: at.Sequence, Bytes: s.db.Metrics().DiskSpaceUsage(),
	}
}

// loadClasses reads the interned classes.
func (s *Store) loadClasses() error {
	for row, err := range s.scan([]byte{tableClass}) {
		if err != nil {
			return err
		}
		id, err := parseOrdinal(row.key)
		if err != nil || int(id) != len(s.classes) || len(row.value) == 0 || row.value[0] != version {
			return corrupt(tableClass, errValue)
		}
		text := append([]byte(nil), row.value[1:]...)
		s.classIDs[string(text)] = uint32(len(s.classes))
		s.classes = append(s.classes, text)
	}
	return nil
}

// Classes is how many classes there are. Their numbers are 0 to Classes-1.
func (s *Store) Classes() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.classes)
}

// Class is the text of a class, nil if there is none of the number. The caller
// must not change it.
func (s *Store) Class(number uint32) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if int(number) >= len(s.classes) {
		return nil
	}
	return s.classes[number]
}

// get reads a value, the caller's to keep. [ErrNotFound] if there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	return read(s.db, key)
}

func read(from pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, corrupt(key[0], err)
	}
	return append([]byte{}, value...), closer.Close()
}
