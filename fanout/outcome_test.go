package fanout

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func randomEntry(rng *rand.Rand) *entry {
	e := &entry{At: time.UnixMilli(rng.Int64N(1 << 41)).UTC(), Attempts: rng.IntN(20)}
	table := []result{{Outcome: Accepted}, {Rejected, "unknown number"}, {Expired, reasonWindow}, {Outcome: Pending}, {Outcome: Unknown}}
	for range rng.IntN(600) {
		e.Results = append(e.Results, table[rng.IntN(1+rng.IntN(len(table)))])
	}
	return e
}

func TestEntryComesBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		e := randomEntry(rng)
		back, err := decodeEntry(e.encode())
		require.NoError(t, err)
		require.Equal(t, e, back)
	}
}

func TestEntryOfAnAcceptedBatchIsSmall(t *testing.T) {
	t.Parallel()
	e := &entry{At: time.Unix(1.8e9, 0), Attempts: 1, Results: make([]result, 500)}
	e.mark(ranks(500), result{Outcome: Accepted})
	require.LessOrEqual(t, len(e.encode()), 16)
}

func TestEntryRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	good := (&entry{At: time.Unix(1.8e9, 0), Results: []result{{Rejected, "gone"}}}).encode()
	for name, value := range map[string][]byte{
		"empty":           nil,
		"other version":   append([]byte{99}, good[1:]...),
		"cut in the run":  good[:len(good)-1],
		"cut in the text": good[:10],
		"no table":        {entryVersion, 0, 0, 0, 5, 0},
		"unknown outcome": {entryVersion, 0, 0, 1, byte(outcomes), 0, 1, 0},
		"huge run":        {entryVersion, 0, 0, 1, 2, 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
	} {
		_, err := decodeEntry(value)
		require.ErrorIs(t, err, errEntry, name)
	}
}

func TestEntryGivesUp(t *testing.T) {
	t.Parallel()
	e := &entry{Results: []result{{}, {Outcome: Unknown}, {Outcome: Accepted}}}
	late := &entry{Results: append([]result(nil), e.Results...)}
	e.giveUp(ranks(3))
	require.Equal(t, []result{{Failed, reasonAttempts}, {Failed, reasonNoAnswer}, {Outcome: Accepted}}, e.Results)
	late.expire()
	require.Equal(t, []result{{Expired, reasonDeadline}, {Expired, reasonNoAnswer}, {Outcome: Accepted}}, late.Results)
	require.Equal(t, []bool{false, true, true}, []bool{late.Results[0].reached(), late.Results[1].reached(), late.Results[2].reached()},
		"who may have heard hears the end")
}

func TestOutcomeWords(t *testing.T) {
	t.Parallel()
	for o := range outcomes {
		back, err := ParseOutcome(o.String())
		require.NoError(t, err)
		require.Equal(t, o, back)
	}
	_, err := ParseOutcome("lost")
	require.Error(t, err)
	require.Equal(t, "outcome 99", Outcome(99).String())
}

func TestTidyKeepsWholeRunes(t *testing.T) {
	t.Parallel()
	require.Equal(t, "ok", tidy("ok\xff"))
	long := tidy(strings.Repeat("é", maxReason))
	require.LessOrEqual(t, len(long), maxReason)
	require.Equal(t, strings.Repeat("é", maxReason/2), long)
}

// ranks lists 0 to n-1.
func ranks(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func FuzzEntry(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		f.Add(randomEntry(rng).encode())
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := decodeEntry(value)
		if err != nil {
			return
		}
		back, err := decodeEntry(e.encode())
		require.NoError(t, err)
		require.Equal(t, e, back)
	})
}
