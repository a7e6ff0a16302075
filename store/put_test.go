package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is the store in the most obvious form.
type model struct {
	people   map[string]*Participant
	ordinals map[string]Ordinal
	next     Ordinal
	sequence uint64
}

func (m *model) owner(p *Participant) string {
	for _, channel := range slices.Sorted(maps.Keys(p.Contacts)) {
		for id, q := range m.people {
			if id != p.ID && exclusive(channel) && q.Contacts[channel] == p.Contacts[channel] {
				return id
			}
		}
	}
	return ""
}

// check compares everything that can be read.
func (m *model) check(t require.TestingT, s *Store) {
	stats := s.Stats()
	require.Equal(t, len(m.people), stats.Participants)
	require.Equal(t, m.sequence, s.Sequence())
	contacts, places := map[string]int{}, 0
	links := map[string]map[Ordinal]string{}
	for id, p := range m.people {
		got, err := s.Participant(id)
		require.NoError(t, err)
		require.Equal(t, p, got)
		places += len(p.Places)
		for channel, c := range p.Contacts {
			contacts[channel]++
			if m.sharers(channel, c) > 1 {
				if links[channel] == nil {
					links[channel] = map[Ordinal]string{}
				}
				links[channel][m.ordinals[id]] = c
			}
		}
	}
	require.Equal(t, contacts, stats.Contacts)
	require.Equal(t, places, stats.Places)
	m.checkLinks(t, s, links)
	var ids []string
	for p, err := range s.Participants("") {
		require.NoError(t, err)
		ids = append(ids, p.ID)
	}
	require.Equal(t, slices.Sorted(maps.Keys(m.people)), ids)
	m.checkIndex(t, s)
}

func (m *model) sharers(channel, contact string) int {
	n := 0
	for _, p := range m.people {
		if p.Contacts[channel] == contact {
			n++
		}
	}
	return n
}

// checkLinks says that two participants are of one group if and only if they
// share the contact.
func (m *model) checkLinks(t require.TestingT, s *Store, want map[string]map[Ordinal]string) {
	groups := map[string]map[uint32]string{}
	n := 0
	for l, err := range s.Links() {
		require.NoError(t, err)
		contact, ok := want[l.Channel][l.Ordinal]
		require.True(t, ok, "link without a shared contact")
		if groups[l.Channel] == nil {
			groups[l.Channel] = map[uint32]string{}
		}
		if was, ok := groups[l.Channel][l.Group]; ok {
			require.True(t, was == contact, "a group of two contacts")
		}
		groups[l.Channel][l.Group] = contact
		n++
	}
	total := 0
	for channel, of := range want {
		total += len(of)
		require.Len(t, groups[channel], len(slices.Compact(slices.Sorted(maps.Values(of)))))
	}
	require.Equal(t, total, n)
}

func (m *model) checkIndex(t require.TestingT, s *Store) {
	byOrdinal := map[Ordinal]*Participant{}
	for id, p := range m.people {
		byOrdinal[m.ordinals[id]] = p
	}
	found := make(chan IndexRow, 10000)
	require.NoError(t, s.Index(func(chunk []IndexRow) error {
		for _, row := range chunk {
			row.Places = slices.Clone(row.Places)
			found <- row
		}
		return nil
	}))
	close(found)
	n := 0
	for row := range found {
		n++
		p := byOrdinal[row.Ordinal]
		require.NotNil(t, p)
		require.Len(t, row.Places, len(p.Places))
		for i, class := range byChannels(p) {
			require.Equal(t, class, s.Class(row.Places[i].Class))
			require.Equal(t, *p.Places[i].Point, Position{row.Places[i].Lat, row.Places[i].Lng})
		}
	}
	require.Equal(t, len(m.people), n)
}

// TestModel runs the store beside the model through enrolments, replacements,
// take-overs, erasures and restarts.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		s, err := Open("data", &Config{FS: fs, Key: testKey})
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		m := &model{people: map[string]*Participant{}, ordinals: map[string]Ordinal{}}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		steps := 0
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				p := somebody(r, fmt.Sprint("p", rapid.IntRange(0, 9).Draw(t, "who")))
				if rapid.Bool().Draw(t, "known number") {
					p.Contacts["sms"] = fmt.Sprintf("+3161234567%d", r.IntN(5))
				}
				m.put(t, s, p, rapid.Bool().Draw(t, "takeover"))
			},
			"erase": func(t *rapid.T) { m.erase(t, s, fmt.Sprint("p", rapid.IntRange(0, 9).Draw(t, "who"))) },
			"reopen": func(t *rapid.T) {
				if steps++; steps > 3 {
					return // often enough: a restart costs milliseconds
				}
				require.NoError(t, s.Close())
				s, err = Open("data", &Config{FS: fs, Key: testKey})
				require.NoError(t, err)
			},
			"": func(t *rapid.T) { m.check(t, s) },
		})
	})
}

func (m *model) put(t require.TestingT, s *Store, p *Participant, takeover bool) {
	var changes []Change
	err := s.Update(context.Background(), func(tx *Tx) (err error) {
		changes, err = tx.Put(p, byChannels, takeover)
		return err
	})
	owner := m.owner(p)
	if owner != "" && !takeover {
		var conflict *ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, ConflictError{Channel: "sms", Owner: owner}, *conflict)
		require.NotContains(t, err.Error(), owner)
		return
	}
	require.NoError(t, err)
	old, known := m.people[p.ID]
	require.Equal(t, !known, changes[0].Created)
	if changes[0].Unchanged {
		require.Equal(t, old, p)
		return
	}
	if owner != "" {
		require.Len(t, changes, 2)
		delete(m.people[owner].Contacts, "sms")
		m.sequence++
	}
	if !known {
		require.Equal(t, m.next, changes[0].Ordinal, "ordinals are given out once")
		m.ordinals[p.ID] = m.next
		m.next++
	}
	m.people[p.ID] = p
	m.sequence++
}

func (m *model) erase(t require.TestingT, s *Store, id string) {
	err := s.Update(context.Background(), func(tx *Tx) error {
		_, err := tx.Erase(id)
		return err
	})
	if m.people[id] == nil {
		require.ErrorIs(t, err, ErrNotFound)
		return
	}
	require.NoError(t, err)
	delete(m.people, id)
	m.sequence++
	name, ok, err := s.ID(m.ordinals[id])
	require.NoError(t, err)
	require.False(t, ok)
	require.Empty(t, name)
}

func TestPutTellsWhatChanged(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	r := rand.New(rand.NewPCG(3, 3))
	a, b := somebody(r, "a"), somebody(r, "b")
	a.Contacts = map[string]string{"voice": "+31201234567"}
	b.Contacts = map[string]string{"voice": "+31201234567"}
	changes := put(t, s, a, a, b)
	require.True(t, changes[0].Created)
	require.True(t, changes[1].Unchanged)
	require.Equal(t, []Link{{"voice", 0, 1, false}, {"voice", 1, 1, false}}, changes[2].Links)

	b.Contacts["voice"] = "+31207654321"
	changes = put(t, s, b)
	require.Equal(t, changes[0].Before, changes[0].After[:len(changes[0].Before)])
	require.Equal(t, []Link{{"voice", 1, 0, true}, {"voice", 0, 0, true}}, changes[0].Links)

	var seen []Ordinal
	for o, err := range s.Changes(1) {
		require.NoError(t, err)
		seen = append(seen, o)
	}
	require.Equal(t, []Ordinal{1, 1}, seen)
}

func TestConflictLeavesTheRestOfAnUpdate(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	r := rand.New(rand.NewPCG(4, 4))
	a, b, c := somebody(r, "a"), somebody(r, "b"), somebody(r, "c")
	a.Contacts["sms"], b.Contacts["sms"] = "+31612345678", "+31612345678"
	delete(c.Contacts, "sms")
	require.NoError(t, s.Update(context.Background(), func(tx *Tx) error {
		for _, p := range []*Participant{a, b, c} {
			if _, err := tx.Put(p, byChannels, false); err != nil {
				require.Equal(t, "b", p.ID)
				require.True(t, errors.As(err, new(*ConflictError)))
			}
		}
		return nil
	}))
	require.Equal(t, 2, s.Stats().Participants)
}
