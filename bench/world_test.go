package bench

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// people is the size of the benchmarks' population: 2.4 million, or as many as
// CRIER_BENCH_PEOPLE says.
func people() Population {
	n, err := strconv.Atoi(os.Getenv("CRIER_BENCH_PEOPLE"))
	if err != nil {
		n = 2_400_000
	}
	return Population{People: n, Seed: 1}
}

// folder is a temporary directory for what benchmarks share; TestMain removes it.
var folder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "crier-bench-") })

// file generates the population once.
var file = sync.OnceValues(func() (string, error) {
	dir, err := folder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "people.ndjson.zst")
	return path, writeFile(path)
})

func writeFile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	err = people().Write(context.Background(), z, nil)
	return errors.Join(err, z.Close(), f.Close())
}

// importInto fills a new store.
func importInto(dir string) error {
	path, err := file()
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	z, err := zstd.NewReader(f)
	if err != nil {
		return err
	}
	defer z.Close()
	st, err := store.Open(dir, nil)
	if err != nil {
		return err
	}
	eng, err := fanout.Open(context.Background(), st, fanout.Config{})
	if err != nil {
		return errors.Join(err, st.Close())
	}
	_, err = eng.Import(context.Background(), fanout.Lines(io.Reader(z)), fanout.Enrolment{})
	return errors.Join(err, eng.Close(), st.Close())
}

// data is a filled store, closed.
var data = sync.OnceValues(func() (string, error) {
	dir, err := folder()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "data")
	return dir, importInto(dir)
})

// nothing is a sink that does nothing.
var nothing = channels.SinkFunc(func(_ context.Context, b *channels.Batch) ([]channels.Answer, error) {
	answers := make([]channels.Answer, len(b.Recipients))
	for i := range answers {
		answers[i].Verdict = channels.Accepted
	}
	return answers, nil
})

// openEngine opens the filled store, with every channel a sink that does nothing.
func openEngine(tb testing.TB, workers int) *fanout.Engine {
	tb.Helper()
	dir, err := data()
	require.NoError(tb, err)
	st, err := store.Open(dir, nil)
	require.NoError(tb, err)
	config := fanout.Config{Channels: map[string]fanout.Channel{}, Now: evening}
	for _, name := range []string{channels.App, channels.SMS, channels.Email, channels.Voice} {
		config.Channels[name] = fanout.Channel{Sink: nothing, Workers: workers, Batch: 2000}
	}
	eng, err := fanout.Open(context.Background(), st, config)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		require.NoError(tb, eng.Close())
		require.NoError(tb, st.Close())
	})
	return eng
}

// evening is a moment at which most windows are open.
func evening() time.Time { return time.Date(2026, 11, 24, 20, 30, 0, 0, time.UTC).Add(-time.Hour) }

func missing(center geoindex.Point, meters float64) fanout.Action {
	return fanout.Action{
		Kind: fanout.Missing, Area: geoindex.Circle(center, meters),
		Text: fanout.Text{"nl": "Uitkijken naar jongen van 9, rode jas"},
	}
}
