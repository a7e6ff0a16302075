package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("CRIER_TEST_HOLD"); dir != "" {
		hold(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// testKey opens every store of these tests.
var testKey = []byte("0123456789abcdef0123456789abcdef")

// openMem opens a store in a memory disk, closed at the end of the test.
func openMem(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open("data", &Config{FS: fs, Key: testKey})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// byChannels makes the class of a place out of its schedule and the channels
// that its participant has.
func byChannels(p *Participant) [][]byte {
	var classes [][]byte
	for i := range p.Places {
		var have []string
		for _, c := range p.Places[i].Channels {
			if p.Contacts[c] != "" {
				have = append(have, c)
			}
		}
		classes = append(classes, []byte(p.Places[i].Schedule.String()+"|"+strings.Join(have, ",")))
	}
	return classes
}

func mustSchedule(text string) Schedule {
	s, err := ParseSchedule(text)
	if err != nil {
		panic(err)
	}
	return s
}

// somebody makes up a valid participant.
func somebody(r *rand.Rand, id string) *Participant {
	p := &Participant{ID: id, Contacts: map[string]string{}, Language: []string{"", "nl", "en"}[r.IntN(3)], Timezone: "Europe/Amsterdam"}
	if r.IntN(4) > 0 {
		p.Contacts["sms"] = fmt.Sprintf("+316%08d", r.IntN(1e8))
	}
	if r.IntN(3) > 0 {
		p.Contacts["voice"] = fmt.Sprintf("+3120%07d", r.IntN(20))
	}
	if r.IntN(2) > 0 {
		p.Contacts["email"] = fmt.Sprintf("u%d@example.nl", r.IntN(20))
	}
	for i := range 1 + r.IntN(3) {
		place := Place{
			ID: fmt.Sprint("place", i), Channels: []string{"sms", "voice", "email"}[:1+r.IntN(3)],
			Point: &Position{Lat: 520000000 + r.Int32N(1e6), Lng: 50000000 + r.Int32N(1e6)},
		}
		place.Schedule = mustSchedule([]string{"always", "Mo-Fr 18:00-23:00", "Sa-Su 22:00-06:00"}[r.IntN(3)])
		if r.IntN(3) == 0 {
			place.Kinds = []string{"missing"}
		}
		if r.IntN(3) == 0 {
			place.Postcode = "1012AB"
		}
		p.Places = append(p.Places, place)
	}
	return p
}

// put enrols participants one by one.
func put(t testing.TB, s *Store, people ...*Participant) []Change {
	t.Helper()
	var all []Change
	require.NoError(t, s.Update(context.Background(), func(tx *Tx) error {
		for _, p := range people {
			changes, err := tx.Put(p, byChannels, false)
			if err != nil {
				return err
			}
			all = append(all, changes...)
		}
		return nil
	}))
	return all
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	r := rand.New(rand.NewPCG(1, 1))
	applied := false
	err := s.Update(context.Background(), func(tx *Tx) error {
		_, err := tx.Put(somebody(r, "a"), byChannels, false)
		require.NoError(t, err)
		tx.Audit(AuditRecord{Verb: "put"})
		tx.OnApply(func() { applied = true })
		return os.ErrPermission
	})
	require.ErrorIs(t, err, os.ErrPermission)
	require.False(t, applied)
	require.Zero(t, s.Stats().Participants)
	require.Zero(t, s.Classes())
	records, _ := s.AuditHead()
	require.Zero(t, records)
	_, err = s.Participant("a")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestUpdateStopsWithItsContext(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, s.Update(ctx, func(*Tx) error { t.Error("ran"); return nil }), context.Canceled)
}

func TestOnApplyRunsInOrderOfCommit(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	var order []uint64 // guarded by the writer lock, which is what is tested
	done := make(chan error)
	for i := range 20 {
		go func() {
			r := rand.New(rand.NewPCG(2, uint64(i)))
			done <- s.Update(context.Background(), func(tx *Tx) error {
				_, err := tx.Put(somebody(r, fmt.Sprint("p", i)), byChannels, true)
				n := tx.state.Sequence
				tx.OnApply(func() { order = append(order, n) })
				return err
			})
		}()
	}
	for range 20 {
		require.NoError(t, <-done)
	}
	require.Len(t, order, 20)
	require.IsIncreasing(t, order)
	require.Equal(t, order[19], s.Sequence())
}

func TestClosedStoreSaysSo(t *testing.T) {
	t.Parallel()
	s, err := Open("data", &Config{FS: vfs.NewMem(), Key: testKey})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Update(context.Background(), func(*Tx) error { return nil }), ErrClosed)
	_, err = s.Participant("a")
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.Bulk(nil)
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.Reach("sms", []uint32{1}, nil)
	require.ErrorIs(t, err, ErrClosed)
	for _, err := range s.Actions("") {
		require.ErrorIs(t, err, ErrClosed)
	}
	require.Zero(t, s.Stats().Participants)
}
