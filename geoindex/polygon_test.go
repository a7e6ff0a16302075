package geoindex

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// reference says by rational arithmetic, edge by edge, whether a point is in
// rings or on them: written apart from the code it judges.
func reference(rings [][]Point, p Point) bool {
	inside := false
	for _, r := range rings {
		for i := range r {
			a, b := r[i], r[(i+1)%len(r)]
			ax, ay, bx, by := big.NewRat(int64(a.Lng), 1), big.NewRat(int64(a.Lat), 1), big.NewRat(int64(b.Lng), 1), big.NewRat(int64(b.Lat), 1)
			x, y := big.NewRat(int64(p.Lng), 1), big.NewRat(int64(p.Lat), 1)
			if ay.Cmp(by) == 0 {
				if y.Cmp(ay) == 0 && (x.Cmp(ax) >= 0 && x.Cmp(bx) <= 0 || x.Cmp(bx) >= 0 && x.Cmp(ax) <= 0) {
					return true
				}
				continue
			}
			// x of the edge at y
			f := new(big.Rat).Quo(new(big.Rat).Sub(y, ay), new(big.Rat).Sub(by, ay))
			if f.Sign() < 0 || f.Cmp(big.NewRat(1, 1)) > 0 {
				continue
			}
			at := new(big.Rat).Add(ax, new(big.Rat).Mul(f, new(big.Rat).Sub(bx, ax)))
			if at.Cmp(x) == 0 {
				return true
			}
			if (ay.Cmp(y) > 0) != (by.Cmp(y) > 0) && at.Cmp(x) < 0 {
				inside = !inside
			}
		}
	}
	return inside
}

// star is a ring around a centre: n vertices at random distances.
func star(r *rand.Rand, center Point, n int, least, most float64) []Point {
	var points []Point
	for i := range n {
		angle := 2 * math.Pi * (float64(i) + 0.9*r.Float64()) / float64(n)
		d := least + r.Float64()*(most-least)
		points = append(points, Point{center.Lat + int32(d*math.Sin(angle)), center.Lng + int32(d*math.Cos(angle))})
	}
	return points
}

// figures are polygons of all kinds, as rings.
func figures(r *rand.Rand) map[string][][]Point {
	center := At(52.37, 4.9)
	square := func(x, y, side int32) []Point {
		return []Point{{y, x}, {y, x + side}, {y + side, x + side}, {y + side, x}}
	}
	return map[string][][]Point{
		"12 vertices":    {star(r, center, 12, 1e5, 4e5)},
		"200 vertices":   {star(r, center, 200, 3e5, 4e5)},
		"2000 vertices":  {star(r, center, 2000, 3.8e5, 4e5)},
		"hole":           {star(r, center, 40, 3e5, 4e5), star(r, center, 30, 1e5, 2.5e5)},
		"tiny":           {{{0, 0}, {0, 3}, {3, 0}}},
		"sliver":         {{{0, 0}, {1000, 1_000_000}, {1001, 1_000_000}}},
		"touching holes": {square(0, 0, 100), square(10, 10, 20), square(30, 30, 20), {{0, 60}, {20, 50}, {20, 70}}},
		"collinear runs": {{{0, 0}, {0, 10}, {0, 20}, {0, 30}, {15, 30}, {30, 30}, {30, 15}, {30, 0}}},
		"comb":           {comb(60)},
		"the world":      {{{-maxLat, -maxLng}, {-maxLat, 0}, {-maxLat, maxLng}, {maxLat, maxLng}, {maxLat, 0}, {maxLat, -maxLng}}},
	}
}

// comb has teeth of one unit that a coarse grid cannot tell apart.
func comb(teeth int32) []Point {
	points := []Point{{0, 0}}
	for i := range teeth {
		points = append(points, Point{0, 2 * i}, Point{50, 2 * i}, Point{50, 2*i + 1}, Point{3, 2*i + 1})
	}
	return append(points, Point{3, 2 * teeth}, Point{-5, 2 * teeth}, Point{-5, 0})[1:]
}

func TestPolygonIsExact(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for name, rings := range figures(r) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			shape, err := Polygon(rings...).Prepare(Limits{Area: 1e9})
			require.NoError(t, err, "seed %d", seed)
			p := shape.(*polygon)
			var lat, lng []int32
			var want []uint16
			for i := range rounds(2500) {
				at := p.draw(r)
				inside := reference(rings, at)
				require.Equal(t, inside, p.Contains(at), "seed %d: %v", seed, at)
				if inside {
					want = append(want, uint16(i))
				}
				lat, lng = append(lat, at.Lat), append(lng, at.Lng)
			}
			out := make([]uint16, len(lat)+1)
			require.Equal(t, want, out[:p.filter(lat, lng, out)])
			for _, ring := range rings {
				for _, v := range ring {
					require.True(t, p.Contains(v), "every vertex belongs to it")
				}
			}
		})
	}
}

// draw picks points of the box, of edges, and next to vertices.
func (p *polygon) draw(r *rand.Rand) Point {
	e := p.edges[r.IntN(len(p.edges))]
	switch r.IntN(3) {
	case 0:
		return Point{p.box.Min.Lat + int32(r.Int64N(int64(p.box.Max.Lat)-int64(p.box.Min.Lat)+1)), int32(int64(p.box.Min.Lng) + r.Int64N(int64(p.box.Max.Lng)-int64(p.box.Min.Lng)+1))}
	case 1:
		f := r.Float64()
		return Point{e.a.Lat + int32(f*(float64(e.b.Lat)-float64(e.a.Lat))), e.a.Lng + int32(f*(float64(e.b.Lng)-float64(e.a.Lng)))}
	}
	at := Point{e.a.Lat + r.Int32N(3) - 1, e.a.Lng + r.Int32N(3) - 1}
	if !at.Valid() {
		return e.a
	}
	return at
}

func TestPolygonRelates(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	all := figures(r)
	for _, name := range []string{"12 vertices", "200 vertices", "2000 vertices", "hole", "touching holes"} {
		shape, err := Polygon(all[name]...).Prepare(Limits{})
		require.NoError(t, err)
		p := shape.(*polygon)
		width := float64(p.box.Max.Lng-p.box.Min.Lng) / 2
		requireHonest(t, seed, r, p, func() Box {
			a := p.draw(r)
			size := max(1, int32(width*math.Pow(10, -3*r.Float64())))
			a = Point{a.Lat - r.Int32N(size+1)/2, a.Lng - r.Int32N(size+1)}
			return Box{a, Point{a.Lat + r.Int32N(size+1), a.Lng + r.Int32N(size+1)}}
		})
	}
}

func TestMultiPolygon(t *testing.T) {
	t.Parallel()
	square := func(x, y, side int32) []Point {
		return []Point{{y, x}, {y, x + side}, {y + side, x + side}, {y + side, x}}
	}
	island := [][]Point{square(40, 40, 10)}
	shape, err := MultiPolygon([][]Point{square(0, 0, 100), square(20, 20, 60)}, island).Prepare(Limits{})
	require.NoError(t, err)
	for p, want := range map[Point]bool{{10, 10}: true, {30, 30}: false, {45, 45}: true, {20, 20}: true, {101, 5}: false} {
		require.Equal(t, want, shape.Contains(p), "%v", p)
	}
	require.Equal(t, []Box{{Point{0, 0}, Point{100, 100}}}, shape.Bound())
}

func BenchmarkPreparePolygon(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, rings := range figures(r) {
		switch name {
		case "12 vertices", "200 vertices", "2000 vertices":
			b.Run(name, func(b *testing.B) {
				area := Polygon(rings...)
				for b.Loop() {
					if _, err := area.Prepare(Limits{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
