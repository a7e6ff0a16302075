package bench

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// testdata is where real Dutch data lies, "" if it is not there. It says so
// loudly: a test that did not run is not one that passed.
func testdata(t *testing.T) string {
	dir := os.Getenv("CRIER_TESTDATA")
	if dir == "" {
		t.Log("DID NOT RUN: CRIER_TESTDATA does not name a folder with real addresses and boundaries")
		_, _ = fmt.Fprintf(os.Stderr, "%s DID NOT RUN: CRIER_TESTDATA is not set\n", t.Name())
	}
	return dir
}

// addresses reads the points of a province's addresses.
func addresses(t *testing.T, path string) []geoindex.Point {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	rows := csv.NewReader(bufio.NewReader(z))
	rows.Comma, rows.ReuseRecord = ';', true
	head, err := rows.Read()
	require.NoError(t, err)
	lat, lon := slices.Index(head, "lat"), slices.Index(head, "lon")
	var points []geoindex.Point
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return points
		}
		require.NoError(t, err)
		y, err := strconv.ParseFloat(row[lat], 64)
		require.NoError(t, err)
		x, err := strconv.ParseFloat(row[lon], 64)
		require.NoError(t, err)
		points = append(points, geoindex.At(y, x))
	}
}

// municipality is one of the boundaries.
type municipality struct {
	name  string
	area  geoindex.Area
	rings [][]geoindex.Point
}

func municipalities(t *testing.T, path, province string) []municipality {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var collection struct {
		Features []struct {
			Properties struct {
				Name     string `json:"name"`
				Province string `json:"province"`
			} `json:"properties"`
			Geometry struct {
				Type        string         `json:"type"`
				Coordinates jsontext.Value `json:"coordinates"`
			} `json:"geometry"`
		} `json:"features"`
	}
	require.NoError(t, json.Unmarshal(text, &collection))
	var list []municipality
	for _, f := range collection.Features {
		if f.Properties.Province != province {
			continue
		}
		m := municipality{name: f.Properties.Name}
		geometry, err := json.Marshal(map[string]any{"geometry": f.Geometry})
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(geometry, &m.area), m.name)
		parts := make([][][]geoindex.Point, 1)
		if f.Geometry.Type == "Polygon" {
			require.NoError(t, json.Unmarshal(f.Geometry.Coordinates, &parts[0]))
		} else {
			require.NoError(t, json.Unmarshal(f.Geometry.Coordinates, &parts))
		}
		m.rings = slices.Concat(parts...)
		list = append(list, m)
	}
	return list
}

// inside looks at every edge: the crossing number, exact in integers.
func (m *municipality) inside(p geoindex.Point) bool {
	in := false
	for _, r := range m.rings {
		for i := range len(r) - 1 {
			a, b := r[i], r[i+1]
			cross := (int64(b.Lng)-int64(a.Lng))*(int64(p.Lat)-int64(a.Lat)) - (int64(b.Lat)-int64(a.Lat))*(int64(p.Lng)-int64(a.Lng))
			if cross == 0 && min(a.Lat, b.Lat) <= p.Lat && p.Lat <= max(a.Lat, b.Lat) && min(a.Lng, b.Lng) <= p.Lng && p.Lng <= max(a.Lng, b.Lng) {
				return true
			}
			if (a.Lat > p.Lat) != (b.Lat > p.Lat) && (cross > 0) == (b.Lat > a.Lat) {
				in = !in
			}
		}
	}
	return in
}

// TestRealAddresses enrols every address of a province, and compares circles and
// municipalities with a look at every one of them.
func TestRealAddresses(t *testing.T) {
	t.Parallel()
	dir := testdata(t)
	if dir == "" {
		return
	}
	points := addresses(t, filepath.Join(dir, "addresses", "Flevoland.csv.gz"))
	require.Greater(t, len(points), 200_000)
	eng := enrolled(t, points)
	var index geoindex.Index
	entries := make([]geoindex.Entry, len(points))
	for i, p := range points {
		entries[i] = geoindex.Entry{Point: p, Key: uint32(i)}
	}
	index.Load(entries)

	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		center, meters := points[r.IntN(len(points))], 50+r.Float64()*r.Float64()*20_000
		var want []uint32
		for i, p := range points {
			if geoindex.Distance(center, p) <= meters {
				want = append(want, uint32(i))
			}
		}
		requireFound(t, fmt.Sprintf("seed %d: %.3f m around %v", seed, meters, center), eng, &index, geoindex.Circle(center, meters), want)
	}
	all := municipalities(t, filepath.Join(dir, "municipalities.geojson"), "PV24")
	require.NotEmpty(t, all)
	total := 0
	for _, m := range all {
		var want []uint32
		for i, p := range points {
			if m.inside(p) {
				want = append(want, uint32(i))
			}
		}
		total += len(want)
		requireFound(t, m.name, eng, &index, m.area, want)
	}
	require.Greater(t, total, len(points)*9/10)
}

// enrolled is an engine with a participant for each point.
func enrolled(t *testing.T, points []geoindex.Point) *fanout.Engine {
	st, err := store.Open(filepath.Join(t.TempDir(), "data"), nil)
	require.NoError(t, err)
	eng, err := fanout.Open(context.Background(), st, fanout.Config{Channels: map[string]fanout.Channel{channels.SMS: {Sink: nothing}}})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, eng.Close())
		require.NoError(t, st.Close())
	})
	lines := func(yield func(fanout.Line, error) bool) {
		for i, at := range points {
			text, err := json.Marshal(store.Participant{
				ID: fmt.Sprintf("a-%07d", i), Contacts: map[string]string{channels.SMS: fmt.Sprintf("+316%08d", i)},
				Places: []store.Place{{Point: &store.Position{Lat: at.Lat, Lng: at.Lng}, Channels: []string{channels.SMS}, Schedule: store.Always()}},
			})
			if !yield(fanout.Line{Number: i + 1, JSON: text}, err) {
				return
			}
		}
	}
	report, err := eng.Import(context.Background(), lines, fanout.Enrolment{})
	require.NoError(t, err)
	require.Equal(t, len(points), report.Created)
	return eng
}

// requireFound compares the index's answer, entry by entry, and the plan's count.
func requireFound(t *testing.T, note string, eng *fanout.Engine, index *geoindex.Index, area geoindex.Area, want []uint32) {
	t.Helper()
	shape, err := area.Prepare(geoindex.Limits{})
	require.NoError(t, err, note)
	var got []uint32
	for e := range index.Snapshot().Within(shape) {
		got = append(got, e.Key)
	}
	slices.Sort(got)
	require.True(t, slices.Equal(want, got), "%s: %d found, %d by brute force", note, len(got), len(want))
	a := missing(geoindex.Point{}, 1)
	a.Area = area
	plan, err := eng.Plan(context.Background(), a)
	require.NoError(t, err, note)
	require.Equal(t, len(want), plan.Recipients(), note)
}
