package store

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseSchedule(t *testing.T) {
	t.Parallel()
	for text, canonical := range map[string]string{
		"always":                                            "always",
		" always ":                                          "always",
		"Mo-Su 00:00-24:00":                                 "always",
		"Mo-Fr 18:00-23:00; Sa-Su 08:00-23:00":              "Mo-Fr 18:00-23:00; Sa-Su 08:00-23:00",
		"Mo-Fr 18:00-23:00;Sa,Su 08:00-23:00":               "Mo-Fr 18:00-23:00; Sa-Su 08:00-23:00",
		"Fr-Mo 22:00-06:00":                                 "Mo,Fr-Su 22:00-06:00",
		"Mo 08:00-12:00,13:00-17:00":                        "Mo 08:00-12:00,13:00-17:00",
		"Mo 08:00-12:00; Mo 11:00-17:00":                    "Mo 08:00-17:00",
		"Mo 08:00-24:00; Tu 00:00-03:00":                    "Mo 08:00-03:00",
		"Su 22:00-06:00":                                    "Su 22:00-06:00",
		"Mo 00:00-24:00; Tu 00:00-12:00":                    "Mo 00:00-24:00; Tu 00:00-12:00",
		"Su 12:00-24:00; Mo 00:00-24:00":                    "Mo 00:00-24:00; Su 12:00-24:00",
		"Su 12:00-11:00; Mo 11:00-23:59; We-Th 10:00-11:00": "Mo 00:00-23:59; We-Th 10:00-11:00; Su 12:00-24:00",
	} {
		s, err := ParseSchedule(text)
		require.NoError(t, err, text)
		require.Equal(t, canonical, s.String(), text)
		again, err := ParseSchedule(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again, text)
	}
}

func TestParseScheduleNamesTheColumn(t *testing.T) {
	t.Parallel()
	for text, column := range map[string]int{
		"":                        1,
		"whenever":                1,
		"mo 08:00-09:00":          1,
		"Mo":                      3,
		"Mo08:00-09:00":           3,
		"Mo-Xx 08:00-09:00":       4,
		"Mo 8:00-09:00":           4,
		"Mo 08:00":                9,
		"Mo 08:00-25:00":          10,
		"Mo 24:00-25:00":          4,
		"Mo 08:60-09:00":          4,
		"Mo 08:00-08:00":          10,
		"Mo 08:00-09:00,":         16,
		"Mo 08:00-09:00 off":      16,
		"Mo 08:00-09:00; PH off":  17,
		"Mo 08:00-09:00;":         16,
		"always; Mo 08:00-09:00":  1,
		"week 1-10 Mo 08:00-9:00": 1,
		"Mo 0x:00-09:00":          4,
	} {
		_, err := ParseSchedule(text)
		var refused *ScheduleError
		require.ErrorAs(t, err, &refused, text)
		require.Equal(t, column, refused.Column, "%s: %v", text, err)
	}
}

func amsterdam(t testing.TB) *time.Location {
	zone, err := time.LoadLocation("Europe/Amsterdam")
	require.NoError(t, err)
	return zone
}

func TestOpenOnTheNightsTheClockChanges(t *testing.T) {
	t.Parallel()
	zone := amsterdam(t)
	s := mustSchedule("Su 02:15-02:45")
	count := func(from time.Time) int {
		n := 0
		for at := from; at.Before(from.Add(6 * time.Hour)); at = at.Add(time.Minute) {
			if s.Open(at.In(zone)) {
				n++
			}
		}
		return n
	}
	require.Equal(t, 30, count(time.Date(2026, 10, 18, 0, 0, 0, 0, zone)), "an ordinary night")
	require.Equal(t, 60, count(time.Date(2026, 10, 25, 0, 0, 0, 0, zone)), "back: the hour counts twice")
	require.Equal(t, 0, count(time.Date(2026, 3, 29, 0, 0, 0, 0, zone)), "forward: the hour is nobody's")
	require.False(t, Schedule{}.Open(time.Now()))
}

// TestUntil compares with looking at every minute.
func TestUntil(t *testing.T) {
	t.Parallel()
	zone := amsterdam(t)
	texts := []string{"Mo-Fr 18:00-23:00", "Fr-Mo 22:00-06:00", "Su 02:15-02:45", "Sa 12:00-11:59; Su 11:59-23:00", "Mo-Su 00:00-23:59", "Su 01:00-24:00; Mo 00:00-08:00"}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		s := mustSchedule(texts[r.IntN(len(texts))])
		around := []time.Time{time.Date(2026, 10, 24, 0, 0, 0, 0, zone), time.Date(2026, 3, 28, 0, 0, 0, 0, zone), time.Date(2026, 6, 1, 0, 0, 0, 0, zone)}[r.IntN(3)]
		at := around.Add(time.Duration(r.Int64N(int64(72 * time.Hour))))
		if !s.Open(at) {
			continue
		}
		want := at.Truncate(time.Minute)
		for s.Open(want) {
			want = want.Add(time.Minute)
		}
		require.Equal(t, want.UTC(), s.Until(at).UTC(), "seed %d: %s from %s", seed, s, at)
	}
	require.Zero(t, mustSchedule("always").Until(time.Now()))
}

func FuzzSchedule(f *testing.F) {
	for _, text := range []string{"always", "Mo-Fr 18:00-23:00; Sa-Su 08:00-23:00", "Fr-Mo 22:00-06:00", "Su 12:00-11:00; Mo 11:00-23:59"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSchedule(text)
		if err != nil {
			return
		}
		again, err := ParseSchedule(s.String())
		require.NoError(t, err, s.String())
		require.Equal(t, s, again)
	})
}
