package geoindex

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDistanceAgainstTable compares with geodesics that GeographicLib computed:
// all over the earth, around Dutch towns, and nearly opposite each other.
func TestDistanceAgainstTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/geodesics.csv")
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.Greater(t, len(rows), 800)
	for i, row := range rows[1:] {
		var v [5]float64
		for j := range v {
			v[j], err = strconv.ParseFloat(row[j], 64)
			require.NoError(t, err)
		}
		a, b := At(v[0], v[1]), At(v[2], v[3])
		require.InDelta(t, v[4], Distance(a, b), 1e-6, "line %d: %v", i+2, row)
		require.InDelta(t, Distance(a, b), Distance(b, a), 1e-8, "line %d, back", i+2)
	}
}

// TestDistanceAgainstGeodSolve compares random pairs with GeographicLib itself,
// where Debian's geographiclib-tools are installed.
func TestDistanceAgainstGeodSolve(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("GeodSolve")
	if err != nil {
		t.Log("DID NOT RUN: GeodSolve (geographiclib-tools) is not installed; the committed table was used all the same")
		return
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var pairs [][2]Point
	var in strings.Builder
	for range rounds(5000) {
		a, b := randomPoint(r), randomPoint(r)
		if r.IntN(3) == 0 {
			b = At(-float64(a.Lat)/grid+r.NormFloat64()*0.3, float64(r.IntN(360)-180))
		}
		if !b.Valid() {
			continue
		}
		pairs = append(pairs, [2]Point{a, b})
		fmt.Fprintf(&in, "%.7f %.7f %.7f %.7f\n", float64(a.Lat)/grid, float64(a.Lng)/grid, float64(b.Lat)/grid, float64(b.Lng)/grid)
	}
	solve := exec.Command(tool, "-i", "-p", "7")
	solve.Stdin = strings.NewReader(in.String())
	out, err := solve.Output()
	require.NoError(t, err)
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		want, err := strconv.ParseFloat(strings.Fields(line)[2], 64)
		require.NoError(t, err)
		require.InDelta(t, want, Distance(pairs[i][0], pairs[i][1]), 1e-6, "seed %d: %v", seed, pairs[i])
	}
}

func randomPoint(r *rand.Rand) Point {
	return Point{r.Int32N(2*maxLat+1) - maxLat, int32(r.Int64N(2*maxLng+1) - maxLng)}
}

func BenchmarkDistance(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	at, near := At(52.3676, 4.9041), make([]Point, 1024)
	for i := range near {
		near[i] = Point{at.Lat + r.Int32N(1e6), at.Lng + r.Int32N(1e6)}
	}
	i := 0
	for b.Loop() {
		Distance(at, near[i&1023])
		i++
	}
}
