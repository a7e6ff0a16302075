package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// byEast ranks positions from west to east.
func byEast(_, lng int32) uint32 { return uint32(lng) }

// fill bulk-loads people, each with its place in the list as its line.
func fill(t testing.TB, s *Store, people ...*Participant) BulkReport {
	t.Helper()
	b, err := s.Bulk(byEast)
	require.NoError(t, err)
	defer b.Close()
	var group sync.WaitGroup
	for half := range 2 {
		group.Go(func() {
			for i := half; i < len(people); i += 2 {
				if err := b.Add(i+1, people[i], byChannels); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	report, err := b.Finish(context.Background(), AuditRecord{At: time.Now(), Actor: "test", Verb: "import"})
	require.NoError(t, err)
	return report
}

// TestBulkIsLikePuttingOneByOne compares with a model, restarts, and goes on.
func TestBulkIsLikePuttingOneByOne(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	fs := vfs.NewMem()
	s, err := Open("data", &Config{FS: fs, Key: testKey})
	require.NoError(t, err)
	m := &model{people: map[string]*Participant{}, ordinals: map[string]Ordinal{}}
	people := make([]*Participant, 3000)
	for i := range people {
		people[i] = somebody(r, fmt.Sprintf("p%d", r.IntN(5000)))
		if people[i].Contacts["sms"] != "" {
			people[i].Contacts["sms"] = fmt.Sprintf("+3161%07d", r.IntN(4000))
		}
	}
	report := fill(t, s, people...)
	last := map[string]*Participant{}
	for _, p := range people {
		last[p.ID] = p
	}
	taken := map[string]bool{}
	rejected := 0
	for _, p := range people { // in order of line: of those that count, the first keeps the number
		number := p.Contacts["sms"]
		switch {
		case last[p.ID] != p:
		case number != "" && taken[number]:
			rejected++
		default:
			taken[number] = number != ""
			m.people[p.ID] = p
		}
	}
	require.Equal(t, BulkReport{Created: len(m.people), Replaced: len(people) - len(last), Rejects: report.Rejects}, report, "seed %d", seed)
	require.Len(t, report.Rejects, rejected)
	m.sequence, m.next = uint64(len(m.people)), Ordinal(len(m.people))
	east := int32(0)
	for o := range m.next {
		id, ok, err := s.ID(o)
		require.NoError(t, err)
		require.True(t, ok)
		m.ordinals[id] = o
		require.GreaterOrEqual(t, m.people[id].Places[0].Point.Lng, east, "neighbours have neighbouring ordinals")
		east = m.people[id].Places[0].Point.Lng
	}
	m.check(t, s)
	require.NoError(t, s.Close())
	s, err = Open("data", &Config{FS: fs, Key: testKey})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	m.check(t, s)
	for range 50 {
		m.put(t, s, somebody(r, fmt.Sprintf("p%d", r.IntN(6000))), true)
	}
	m.check(t, s)
	n := 0
	for record, err := range s.Audit() {
		require.NoError(t, err)
		require.Equal(t, "import", record.Verb)
		n++
	}
	require.Equal(t, 1, n)
	_, err = s.Bulk(byEast)
	require.ErrorIs(t, err, ErrNotEmpty)
}

func TestBulkIsAllOrNothing(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	fs := vfs.NewMem()
	s := openMem(t, fs)
	b, err := s.Bulk(byEast)
	require.NoError(t, err)
	for i := range 100 {
		require.NoError(t, b.Add(i, somebody(r, fmt.Sprint(i)), byChannels))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = b.Finish(ctx, AuditRecord{})
	require.ErrorIs(t, err, context.Canceled)
	b.Close()
	require.Zero(t, s.Stats().Participants)
	require.Zero(t, s.Classes())
	names, err := fs.List("data")
	require.NoError(t, err)
	for _, name := range names {
		require.NotContains(t, name, ingestFile)
	}

	b, err = s.Bulk(byEast)
	require.NoError(t, err)
	defer b.Close()
	require.NoError(t, b.Add(1, somebody(r, "late"), byChannels))
	put(t, s, somebody(r, "first"))
	_, err = b.Finish(context.Background(), AuditRecord{})
	require.ErrorIs(t, err, ErrNotEmpty, "somebody was enrolled meanwhile")
	require.Equal(t, 1, s.Stats().Participants)
}

func TestEmptyBulk(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	require.Equal(t, BulkReport{}, fill(t, s))
	require.Equal(t, 1, fill(t, s, somebody(rand.New(rand.NewPCG(1, 1)), "a")).Created)
}
