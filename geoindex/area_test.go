package geoindex

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAreaJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"circle":{"center":[4.9041,52.3676],"radius_m":2500}}`,
		`{"geometry":{"type":"Polygon","coordinates":[[[4.8,52.3],[5,52.3],[5,52.4],[4.8,52.3]]]}}`,
		`{"geometry":{"type":"MultiPolygon","coordinates":[[[[4.8,52.3],[5,52.3],[5,52.4],[4.8,52.3]]]]}}`,
		`null`,
	} {
		var a Area
		if text != "null" {
			require.NoError(t, json.Unmarshal([]byte(text), &a))
			_, err := a.Prepare(Limits{})
			require.NoError(t, err)
		}
		out, err := json.Marshal(a)
		require.NoError(t, err)
		require.JSONEq(t, text, string(out))
	}
}

// TestAreaRefuses gives each wrong area and where the error says it is wrong.
func TestAreaRefuses(t *testing.T) {
	t.Parallel()
	for text, path := range map[string]string{
		`{}`: "area",
		`{"circle":{"center":[4.9,52.3],"radius_m":1},"geometry":{"type":"Polygon","coordinates":[]}}`: "area",
		`{"circle":{"center":[4.9,52.3]}}`:                          "circle.radius_m",
		`{"circle":{"radius_m":5}}`:                                 "circle.center",
		`{"circle":{"center":[4.9,52.3],"radius_m":0}}`:             "circle.radius_m",
		`{"circle":{"center":[4.9,52.3],"radius_m":-1}}`:            "circle.radius_m",
		`{"circle":{"center":[4.9,52.3],"radius_m":1e9}}`:           "circle.radius_m",
		`{"circle":{"center":[4.9,52.3],"radius_m":"far"}}`:         "circle.radius_m",
		`{"circle":{"center":[4.9,92.3],"radius_m":5}}`:             "circle.center",
		`{"circle":{"center":[4.9],"radius_m":5}}`:                  "circle.center",
		`{"circle":{"center":[4.9,52.3,7],"radius_m":5}}`:           "circle.center",
		`{"circle":{"center":[4.9,52.3],"radius_m":5,"unit":"km"}}`: "circle.unit",
		`{"square":1}`:            "square",
		`{"corridor":{"path":1}}`: "corridor",
		`{"regions":["GM0363"]}`:  "regions",
		`{"postcodes":["1012"]}`:  "postcodes",
		`{"union":[]}`:            "union",
		`{"difference":[]}`:       "difference",
		`{"geometry":{"type":"Point","coordinates":[4,52]}}`:                                                        "geometry.type",
		`{"geometry":{"type":"Polygon"}}`:                                                                           "geometry.coordinates",
		`{"geometry":{"type":"Polygon","coordinates":[]}}`:                                                          "geometry.coordinates",
		`{"geometry":{"type":"Polygon","coordinates":[[]]}}`:                                                        "geometry.coordinates[0][0]",
		`{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}}`:                                 "geometry.coordinates[0][3]",
		`{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,"a"],[0,0]]]}}`:                               "geometry.coordinates[0][2]",
		`{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,91],[0,0]]]}}`:                                "geometry.coordinates[0][2]",
		`{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[2,2],[0,0]]]}}`:                                 "geometry.coordinates[0]",
		`{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1e-9,0],[0,1e-9],[0,0]]]}}`:                           "geometry.coordinates[0]",
		`{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}`:                           "geometry.coordinates[0][0]",
		`{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1],[0,0]],[[2,2],[3,2],[3,3],[2,2]]]}}`: "geometry.coordinates[1]",
		`{"geometry":{"type":"Polygon","coordinates":[[[0,0],[0.9,0],[0.9,0.9],[0,0.9],[0,0]],[[0.1,0.1],[0.8,0.1],[0.8,0.8],[0.1,0.8],[0.1,0.1]],[[0.2,0.2],[0.3,0.2],[0.3,0.3],[0.2,0.2]]]}}`: "geometry.coordinates[2]",
		`{"geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[0.5,0.1],[0.6,0.1],[0.6,0.2],[0.5,0.1]]]]}}`:                                                          "geometry.coordinates[1][0]",
		`{"geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[0.5,-1],[0.6,-1],[0.6,2],[0.5,-1]]]]}}`:                                                               "geometry.coordinates[0][0][0]",
		`{"geometry":{"type":"Polygon","coordinates":[[[-179,0],[179,0],[179,1],[-179,0]]]}}`:                                                                                                   "geometry.coordinates[0][0]",
		`{"geometry":{"type":"Polygon","coordinates":[[[-60,-60],[60,-60],[60,60],[-60,60],[-60,-60]]]}}`:                                                                                       "geometry",
	} {
		var a Area
		err := json.Unmarshal([]byte(text), &a)
		if err == nil {
			_, err = a.Prepare(Limits{})
		}
		var refused *AreaError
		require.ErrorAs(t, err, &refused, text)
		require.Equal(t, path, refused.Path, "%s: %v", text, err)
	}
	for _, a := range []Area{Circle(At(52, 5), math.NaN()), Circle(At(math.NaN(), 5), 1), {}, Polygon(), Polygon(nil), MultiPolygon()} {
		_, err := a.Prepare(Limits{})
		require.ErrorAs(t, err, new(*AreaError))
	}
}

func TestAreaLimits(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for _, l := range []Limits{{Vertices: 19}, {Rings: 1}, {Area: 1}} {
		area := Polygon(star(r, At(52, 5), 12, 4e5, 5e5), star(r, At(52, 5), 8, 1e5, 2e5))
		_, err := area.Prepare(l)
		require.ErrorContains(t, err, "at most")
		_, err = area.Prepare(Limits{})
		require.NoError(t, err)
	}
	huge := star(r, At(52, 5), 10_001, 3e6, 3.1e6)
	_, err := Polygon(huge).Prepare(Limits{})
	require.ErrorContains(t, err, "10001 vertices")
	_, err = Polygon(huge[1:]).Prepare(Limits{})
	require.NoError(t, err)
}

func TestCanonicalForm(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	outer, one, other := star(r, At(52, 5), 12, 4e5, 5e5), star(r, At(52, 5.01), 5, 1e4, 5e4), star(r, At(51.99, 4.98), 5, 1e4, 5e4)
	a := Polygon(outer, one, other)
	turned := append(slices.Clone(outer[5:]), outer[:6]...) // begins elsewhere, and is closed
	slices.Reverse(one)
	b := Polygon(turned, other, one)
	require.True(t, a.Equal(b))
	require.True(t, MultiPolygon([][]Point{outer, one, other}).Equal(a))
	require.False(t, a.Equal(Polygon(outer, one)))
	require.False(t, Circle(At(52, 5), 1).Equal(Circle(At(52, 5), 2)))
	var none Area
	require.True(t, none.Equal(Area{}))
}

func TestCenter(t *testing.T) {
	t.Parallel()
	require.Equal(t, At(52, 5), Circle(At(52, 5), 9).Center())
	small := []Point{{0, 0}, {0, 2}, {2, 2}}
	large := []Point{{100, 100}, {100, 300}, {200, 300}}
	require.Equal(t, Point{150, 200}, MultiPolygon([][]Point{small}, [][]Point{large}).Center())
	require.Zero(t, Area{}.Center())
}

func TestPointJSON(t *testing.T) {
	t.Parallel()
	var p Point
	require.NoError(t, json.Unmarshal([]byte(`[4.9041, 52.3676]`), &p))
	require.Equal(t, At(52.3676, 4.9041), p)
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.Equal(t, `[4.9041,52.3676]`, string(text))
	for _, bad := range []string{`[1]`, `[1,2,3]`, `["a",2]`, `[181,0]`, `[0,90.1]`, `{}`} {
		require.Error(t, json.Unmarshal([]byte(bad), &p), bad)
	}
	require.False(t, At(math.Inf(1), 0).Valid())
}

// FuzzArea decodes, encodes, decodes and compares, and prepares what it gets.
func FuzzArea(f *testing.F) {
	f.Add(`{"circle":{"center":[4.9041,52.3676],"radius_m":2500}}`)
	f.Add(`{"geometry":{"type":"Polygon","coordinates":[[[4.8,52.3],[5,52.3],[5,52.4],[4.8,52.3]]]}}`)
	f.Add(`{"geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[5,5],[6,5],[6,6],[5,5]]]]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var a, b Area
		if json.Unmarshal([]byte(text), &a) != nil {
			return
		}
		out, err := json.Marshal(a)
		require.NoError(t, err)
		if strings.Contains(string(out), "[]") {
			return // an empty ring does not come back closed
		}
		require.NoError(t, json.Unmarshal(out, &b), "%s", out)
		require.True(t, a.Equal(b), "%s", out)
		shape, err := a.Prepare(Limits{})
		if err != nil {
			require.ErrorAs(t, err, new(*AreaError))
			return
		}
		for _, bound := range shape.Bound() {
			shape.Contains(bound.Min)
			shape.Relate(bound)
		}
	})
}
