package fanout

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/store"
)

var segmentKey = store.SegmentKey{Action: "a-01JDE0000000000000000000AB", Message: 1, Channel: "sms", Number: 2}

func randomSegment(rng *rand.Rand, n int) (*segment, []uint32) {
	set := map[uint32]bool{}
	for len(set) < n {
		set[rng.Uint32N(3_000_000)] = true
	}
	ordinals := sortedKeys(set)
	h := header{Batch: 1 + rng.IntN(500), Reason: "wave", Wave: rng.IntN(17), Release: time.Unix(1.8e9, 0).UTC()}
	return newSegment(segmentKey, h, ordinals), ordinals
}

func TestSegmentBatchesCoverIt(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 2, 499, 500, 501, 20_000} {
		s, ordinals := randomSegment(rng, n)
		var all, batch []uint32
		for k := range s.batches() {
			batch = s.batch(k, batch)
			require.Len(t, batch, s.batchSize(k))
			all = append(all, batch...)
		}
		require.True(t, slices.Equal(ordinals, all), "n=%d", n)
		require.Empty(t, s.batch(s.batches(), nil))
		require.Zero(t, s.batchSize(s.batches()))
	}
}

func TestSegmentComesBack(t *testing.T) {
	t.Parallel()
	s, _ := randomSegment(rand.New(rand.NewPCG(7, 8)), 5000)
	value, err := s.encode()
	require.NoError(t, err)
	back, err := decodeSegment(segmentKey, value)
	require.NoError(t, err)
	require.Equal(t, s.header, back.header)
	require.True(t, s.recipients.Equals(back.recipients))
	for cut := range 40 {
		_, err := decodeSegment(segmentKey, value[:cut])
		require.ErrorIs(t, err, errSegment)
	}
	value[0]++
	_, err = decodeSegment(segmentKey, value)
	require.ErrorIs(t, err, errSegment)
}

func FuzzSegment(f *testing.F) {
	s, _ := randomSegment(rand.New(rand.NewPCG(9, 10)), 100)
	value, err := s.encode()
	require.NoError(f, err)
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		s, err := decodeSegment(segmentKey, value)
		if err != nil {
			return
		}
		again, err := s.encode()
		if err != nil {
			return // a time that JSON cannot say
		}
		back, err := decodeSegment(segmentKey, again)
		require.NoError(t, err)
		require.True(t, s.recipients.Equals(back.recipients))
	})
}
