package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

func BenchmarkGenerate(b *testing.B) {
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		require.NoError(b, writeFile(filepath.Join(dir, fmt.Sprint(i))))
	}
}

func BenchmarkImport(b *testing.B) {
	_, err := file()
	require.NoError(b, err)
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		require.NoError(b, importInto(filepath.Join(dir, fmt.Sprint(i))))
	}
}

// BenchmarkOpen is from a closed store to an engine that plans.
func BenchmarkOpen(b *testing.B) {
	dir, err := data()
	require.NoError(b, err)
	for b.Loop() {
		st, err := store.Open(dir, nil)
		require.NoError(b, err)
		eng, err := fanout.Open(context.Background(), st, fanout.Config{})
		require.NoError(b, err)
		b.StopTimer()
		b.ReportMetric(float64(st.Classes()), "classes")
		require.NoError(b, eng.Close())
		require.NoError(b, st.Close())
		b.StartTimer()
	}
}

// percentiles reports the middle and the tail of some durations.
func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-µs")
}

// BenchmarkPlan is a whole plan: query, classes, several places, waves, counts
// and digests.
func BenchmarkPlan(b *testing.B) {
	eng := openEngine(b, 1)
	centers := people().Centers(200)
	for _, meters := range []float64{500, 2500, 10_000} {
		b.Run(fmt.Sprintf("%.0fm", meters), func(b *testing.B) {
			var took []time.Duration
			recipients := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				begun := time.Now()
				plan, err := eng.Plan(context.Background(), missing(centers[i%len(centers)], meters))
				took = append(took, time.Since(begun))
				require.NoError(b, err)
				recipients += plan.Recipients()
			}
			percentiles(b, took)
			b.ReportMetric(float64(recipients)/float64(b.N), "recipients")
		})
	}
}

// BenchmarkStart is from the call to the plan's being on disk; the action is
// cancelled outside of the clock.
func BenchmarkStart(b *testing.B) {
	eng := openEngine(b, 1)
	center, meters, n := geoindex.At(52.37, 4.90), 1000.0, 0
	for ; n < 100_000 && meters < 100_000; meters *= 1.05 { // the circle that has so many to tell
		plan, err := eng.Plan(context.Background(), missing(center, meters))
		require.NoError(b, err)
		n = plan.Recipients()
	}
	a := missing(center, meters/1.05)
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		s, err := eng.Start(context.Background(), a)
		took = append(took, time.Since(begun))
		b.StopTimer()
		require.NoError(b, err)
		_, err = eng.Cancel(context.Background(), s.ID, fanout.Cancellation{Text: fanout.Text{"nl": "Vergissing"}})
		require.NoError(b, err)
		require.NoError(b, eng.Wait(context.Background(), s.ID))
		b.StartTimer()
	}
	percentiles(b, took)
	b.ReportMetric(float64(n), "recipients")
}

// BenchmarkLanes hands an alert to everybody: contacts unsealed, claims and
// ledger synced.
func BenchmarkLanes(b *testing.B) {
	eng := openEngine(b, 2)
	sent, took := 0, time.Duration(0)
	for b.Loop() {
		begun := time.Now()
		s, err := eng.Start(context.Background(), missing(geoindex.At(52.1, 5.3), 150_000))
		require.NoError(b, err)
		require.NoError(b, eng.Wait(context.Background(), s.ID))
		took += time.Since(begun)
		s, err = eng.Action(s.ID)
		require.NoError(b, err)
		for _, c := range s.Messages[0].Channels {
			sent += c.Accepted
		}
		b.StopTimer()
		_, err = eng.Conclude(context.Background(), s.ID, fanout.Conclusion{Text: fanout.Text{"nl": "Gevonden"}})
		require.NoError(b, err)
		require.NoError(b, eng.Wait(context.Background(), s.ID))
		b.StartTimer()
	}
	b.ReportMetric(float64(sent)/took.Seconds(), "recipients/s")
	b.ReportMetric(float64(sent)/float64(b.N), "recipients")
}
