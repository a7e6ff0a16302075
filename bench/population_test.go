package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if dir, err := folder(); err == nil {
			_ = os.RemoveAll(dir)
		}
		os.Exit(status)
	}))
}

func TestPopulationIsAlwaysTheSame(t *testing.T) {
	t.Parallel()
	p := Population{People: 10_000, Seed: 7}
	var out bytes.Buffer
	told := 0
	require.NoError(t, p.Write(context.Background(), &out, func(n int) { told = n }))
	require.Equal(t, 10_000, told)
	lines := bufio.NewScanner(&out)
	contacts, places := map[string]bool{}, 0
	for who := range p.All() {
		require.NoError(t, who.Validate())
		require.True(t, lines.Scan())
		var read store.Participant
		require.NoError(t, json.Unmarshal(lines.Bytes(), &read, json.RejectUnknownMembers(true)))
		require.Equal(t, who, read)
		for channel, contact := range who.Contacts {
			require.True(t, channel == "voice" || !contacts[contact], "only a telephone is shared")
			contacts[contact] = true
		}
		places += len(who.Places)
		at := who.Places[0].Point
		require.Less(t, geoindex.Distance(geoindex.Point{Lat: at.Lat, Lng: at.Lng}, geoindex.At(52.2, 5.3)), 250_000.0)
	}
	require.False(t, lines.Scan())
	require.InDelta(t, 10_800, places, 200)
}

func TestTowns(t *testing.T) {
	t.Parallel()
	require.Len(t, towns, 150)
	names := map[string]bool{}
	for i, town := range towns {
		require.False(t, names[town.name], town.name)
		names[town.name] = true
		require.True(t, i == 0 || town.thousands <= towns[i-1].thousands)
	}
	require.Len(t, Population{Seed: 1}.Centers(200), 200)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteStopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	p := Population{People: 50_000, Seed: 1}
	require.ErrorContains(t, p.Write(context.Background(), full{}, nil), "disk full")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, p.Write(ctx, full{}, nil), context.Canceled)
}
