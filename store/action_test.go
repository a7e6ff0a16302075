package store

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

func update(t testing.TB, s *Store, fn func(*Tx)) {
	t.Helper()
	require.NoError(t, s.Update(context.Background(), func(tx *Tx) error { fn(tx); return nil }))
}

func TestActionsAndTheirParts(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	one, two := SegmentKey{"a-1", 1, "sms", 0}, SegmentKey{"a-1", 1, "sms", 1}
	other := SegmentKey{"a-10", 1, "email", 0} // an ID that begins like the first
	update(t, s, func(tx *Tx) {
		for _, id := range []string{"a-2", "a-1", "a-10"} {
			tx.PutAction(id, []byte("record of "+id))
		}
		tx.PutSegment(two, []byte("s2"))
		tx.PutSegment(one, []byte("s1"))
		tx.PutSegment(other, []byte("other"))
		tx.PutClaim(one, 1)
		tx.PutClaim(one, 3)
		tx.PutOutcomes(BatchKey{one, 2}, []byte("o2"))
		tx.PutOutcomes(BatchKey{one, 0}, []byte("o0"))
		tx.PutOutcomes(BatchKey{one, 0}, []byte("o0 again"))
	})
	value, err := s.Action("a-1")
	require.NoError(t, err)
	require.Equal(t, "record of a-1", string(value))
	_, err = s.Action("a-3")
	require.ErrorIs(t, err, ErrNotFound)

	list := func(above string) (all []string) {
		for value, err := range s.Actions(above) {
			require.NoError(t, err)
			all = append(all, string(value))
		}
		return all
	}
	require.Equal(t, []string{"record of a-1", "record of a-10", "record of a-2"}, list(""))
	require.Equal(t, []string{"record of a-10", "record of a-2"}, list("a-1"))

	var segments, claims, outcomes []string
	for row, err := range s.Segments("a-1") {
		require.NoError(t, err)
		segments = append(segments, row.Key.String()+"="+string(row.Value))
	}
	for row, err := range s.Claims("a-1") {
		require.NoError(t, err)
		claims = append(claims, fmt.Sprint(row.Key, "=", row.Batches))
	}
	for row, err := range s.Outcomes("a-1") {
		require.NoError(t, err)
		outcomes = append(outcomes, row.Key.String()+"="+string(row.Value))
	}
	require.Equal(t, []string{"a-1/1/sms/0=s1", "a-1/1/sms/1=s2"}, segments)
	require.Equal(t, []string{"a-1/1/sms/0=3"}, claims)
	require.Equal(t, []string{"a-1/1/sms/0/0=o0 again", "a-1/1/sms/0/2=o2"}, outcomes)
}

func TestRequestsAreForgottenInTime(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	now := time.Unix(1_800_000_000, 0).UTC()
	update(t, s, func(tx *Tx) {
		tx.PutRequest("desk", "old", Request{[32]byte{1}, "a-1", now.Add(-8 * 24 * time.Hour)})
		tx.PutRequest("desk", "new", Request{[32]byte{2}, "a-2", now})
		r, ok, err := tx.Request("desk", "new")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, Request{[32]byte{2}, "a-2", now}, r)
	})
	require.NoError(t, s.Update(context.Background(), func(tx *Tx) error { return tx.ForgetRequests(now.Add(-7 * 24 * time.Hour)) }))
	for key, want := range map[string]bool{"old": false, "new": true} {
		_, ok, err := s.Request("desk", key)
		require.NoError(t, err)
		require.Equal(t, want, ok, key)
	}
	_, ok, err := s.Request("another desk", "new")
	require.NoError(t, err)
	require.False(t, ok, "keys are scoped to the caller")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	want := Token{ID: "first", Hash: [32]byte{9}, Scopes: []string{"observe"}, Created: time.Unix(5, 0).UTC()}
	update(t, s, func(tx *Tx) { tx.PutToken(want) })
	for got, err := range s.Tokens() {
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// TestAuditChain changes, removes and cuts off records, and finds each.
func TestAuditChain(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	for i := range 5 {
		update(t, s, func(tx *Tx) {
			tx.Audit(AuditRecord{At: time.Unix(int64(i), 0).UTC(), Actor: "desk", Verb: "start", Subject: fmt.Sprint("a-", i), Detail: []byte(`{"n":1}`)})
		})
	}
	read := func() (n int, err error) {
		for _, err := range s.Audit() {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	n, err := read()
	require.NoError(t, err)
	require.Equal(t, 5, n)
	records, head := s.AuditHead()
	require.Equal(t, uint64(5), records)
	require.Len(t, head, 32)

	key := func(n uint64) []byte { return sequenceKey(tableAudit, n) }
	whole, err := s.get(key(2))
	require.NoError(t, err)
	last, err := s.get(key(4))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		harm   func()
		record uint64
	}{
		"changed": {func() {
			require.NoError(t, s.db.Set(key(2), bytes.Replace(whole, []byte("desk"), []byte("disk"), 1), pebble.Sync))
		}, 3},
		"removed": {func() { require.NoError(t, s.db.Delete(key(2), pebble.Sync)) }, 2},
		"cut off": {func() { require.NoError(t, s.db.Delete(key(4), pebble.Sync)) }, 4},
		"last changed": {func() {
			require.NoError(t, s.db.Set(key(4), bytes.Replace(last, []byte("desk"), []byte("disk"), 1), pebble.Sync))
		}, 5},
		"unreadable": {func() { require.NoError(t, s.db.Set(key(2), []byte("?"), pebble.Sync)) }, 2},
	} {
		c.harm()
		_, err := read()
		var broken *AuditError
		require.ErrorAs(t, err, &broken, name)
		require.Equal(t, c.record, broken.Record, name)
		require.NoError(t, s.db.Set(key(2), whole, pebble.Sync))
		require.NoError(t, s.db.Set(key(4), last, pebble.Sync))
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	r := rand.New(rand.NewPCG(1, 1))
	people := make([]*Participant, 300)
	for i := range people {
		people[i] = somebody(r, fmt.Sprint("p", i))
	}
	put(t, s, people...)
	require.NoError(t, s.Update(context.Background(), func(tx *Tx) error { _, err := tx.Erase("p7"); return err }))
	for _, step := range []int{1, 3, 40} {
		var wanted []uint32
		var want []Reach
		for i := 0; i < len(people)+5; i += step {
			wanted = append(wanted, uint32(i))
			var w Reach
			if i < len(people) && i != 7 && people[i].Contacts["sms"] != "" {
				w = Reach{Found: true, Contact: people[i].Contacts["sms"], Language: people[i].Language}
			}
			want = append(want, w)
		}
		got, err := s.Reach("sms", wanted, nil)
		require.NoError(t, err)
		for i := range got {
			if !got[i].Found {
				got[i].Language = ""
			}
		}
		require.Equal(t, want, got)
	}
	none, err := s.Reach("sms", nil, nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

// TestErasedIsMergedAway waits until the rows of an erased participant have been
// merged away, which the tombstone then says.
func TestErasedIsMergedAway(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 20 {
		put(t, s, somebody(r, fmt.Sprint("p", i)))
	}
	require.NoError(t, s.db.Flush())
	require.NoError(t, s.Update(context.Background(), func(tx *Tx) error { _, err := tx.Erase("p7"); return err }))
	key := ordinalKey(tableErased, 7)
	for range 1000 {
		if value, err := s.get(key); err == nil && value[1] == scrubbed {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	require.Fail(t, "the traces were not removed")
}

func BenchmarkReach(b *testing.B) {
	s := openMem(b, vfs.NewMem())
	r := rand.New(rand.NewPCG(1, 1))
	people := make([]*Participant, 20_000)
	for i := range people {
		people[i] = somebody(r, fmt.Sprint("p", i))
		people[i].Contacts["sms"] = fmt.Sprintf("+316%08d", i)
	}
	fill(b, s, people...)
	wanted := make([]uint32, 500)
	var dst []Reach
	for b.Loop() {
		first := r.IntN(19_000)
		for i := range wanted {
			wanted[i] = uint32(first + i)
		}
		var err error
		dst, err = s.Reach("sms", wanted, dst[:0])
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/contact")
}

func BenchmarkUpdateSynced(b *testing.B) {
	s, err := Open(b.TempDir()+"/data", nil)
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	for i := 0; b.Loop(); i++ {
		update(b, s, func(tx *Tx) { tx.PutClaim(SegmentKey{"a-1", 1, "sms", 0}, uint32(i)) })
	}
}
