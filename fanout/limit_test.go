package fanout

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// In no window of any length do more than rate × time + burst units leave, and
// a bucket starts empty.
func TestLimitHoldsInEveryWindow(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		c := Channel{Rate: 1 + rng.Float64()*300, Burst: 1 + rng.IntN(100)}
		start := time.Unix(1.8e9, 0)
		l := newLimit(c, start)
		require.False(t, l.take(start, 1), "a bucket starts empty")
		type left struct {
			at time.Duration
			n  int
		}
		var log []left
		for now := start; len(log) < 400; {
			n := 1 + rng.IntN(c.Burst)
			now = now.Add(time.Duration(rng.IntN(3)) * time.Millisecond)
			if wait := l.wait(now, n); wait > 0 {
				require.False(t, l.take(now, n), "wait and take agree")
				now = now.Add(wait)
			}
			require.True(t, l.take(now, n), "seed %d: after the wait it may leave", seed)
			log = append(log, left{now.Sub(start), n})
		}
		for i := range log {
			sum := 0
			for _, out := range log[i:] {
				sum += out.n
				most := c.Rate*(out.at-log[i].at).Seconds() + float64(c.Burst)
				require.LessOrEqual(t, float64(sum), most+0.01, "seed %d", seed)
			}
		}
	}
}

func TestNoLimitNeverWaits(t *testing.T) {
	t.Parallel()
	l := newLimit(Channel{}, time.Now())
	require.Zero(t, l.wait(time.Now(), 1<<40))
	require.True(t, l.take(time.Now(), 1<<40))
	require.Zero(t, l.eta(1<<40))
	require.Equal(t, 2*time.Second, newLimit(Channel{Rate: 50, Burst: 1}, time.Now()).eta(100))
}

func TestChannelBatchIsAboutASecond(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		channel Channel
		want    int
	}{
		{Channel{Batch: 500}, 500},
		{Channel{Batch: 500, Rate: 200, Burst: 50}, 50},
		{Channel{Batch: 500, Rate: 30, Burst: 100}, 30},
		{Channel{Batch: 10, Rate: 300, Burst: 300}, 10},
		{Channel{Batch: 500, Rate: 0.2, Burst: 1}, 1},
	} {
		require.Equal(t, c.want, c.channel.batch(), "%+v", c.channel)
	}
}
