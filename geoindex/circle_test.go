package geoindex

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// circles of all kinds: of a town, of a country, at a pole, over the antimeridian.
var circles = []struct {
	name   string
	center Point
	meters float64
}{
	{"street", At(52.3676, 4.9041), 120},
	{"town", At(52.3676, 4.9041), 2500},
	{"country", At(52.1, 5.3), 150_000},
	{"continent", At(47, 10), 1_900_000},
	{"equator", At(0, 10), 30_000},
	{"south", At(-41.3, 174.8), 9000},
	{"polar night", At(78.2, 15.6), 40_000},
	{"pole", At(89.99, 0), 5000},
	{"over the pole", At(85, 20), 900_000},
	{"antimeridian", At(-17, 179.99), 30_000},
	{"antimeridian from the west", At(-17, -179.999), 3000},
	{"on the antimeridian", At(65, 180), 100_000},
}

// rounds is how often a model is compared: less often under -short, which is what
// the race detector runs.
func rounds(n int) int {
	if testing.Short() {
		return n / 8
	}
	return n
}

// draw picks points at all distances around a circle, most at its rim.
func (c *circle) draw(r *rand.Rand) Point {
	stretch := 1 + r.NormFloat64()*math.Pow(10, -float64(r.IntN(9)))
	azimuth := r.Float64() * 2 * math.Pi
	dy, dx := c.meters*math.Cos(azimuth)*stretch/6_371_000, c.meters*math.Sin(azimuth)*stretch/6_371_000
	lat := float64(c.center.Lat)*unitRadian + dy
	lng := float64(c.center.Lng)*unitRadian + dx/math.Max(0.01, math.Cos(lat))
	return Point{int32(math.Max(-maxLat, math.Min(maxLat, lat/unitRadian))), int32(wrapped(int64(lng/unitRadian) % (2 * maxLng)))}
}

// TestCircleIsExact compares with the geodesic of every point.
func TestCircleIsExact(t *testing.T) {
	t.Parallel()
	for _, c := range circles {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			r := rand.New(rand.NewPCG(seed, 0))
			circle := newCircle(c.center, c.meters)
			var lat, lng []int32
			var want []uint16
			for i := range rounds(20_000) {
				p := circle.draw(r)
				if i%10 == 0 {
					p = randomPoint(r)
				}
				inside := Distance(c.center, p) <= c.meters
				require.Equal(t, inside, circle.Contains(p), "seed %d: %v", seed, p)
				if inside {
					want = append(want, uint16(i))
					bounded := false
					for _, b := range circle.Bound() {
						bounded = bounded || b.Contains(p)
					}
					require.True(t, bounded, "seed %d: %v is out of the bound", seed, p)
				}
				lat, lng = append(lat, p.Lat), append(lng, p.Lng)
			}
			out := make([]uint16, len(lat)+1)
			require.Equal(t, want, out[:circle.filter(lat, lng, out)], "seed %d", seed)
			require.NotEmpty(t, want)
			require.Less(t, len(want), len(lat))
		})
	}
}

// TestCircleRelates looks into boxes that are said to be in or out.
func TestCircleRelates(t *testing.T) {
	t.Parallel()
	for _, c := range circles {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			r := rand.New(rand.NewPCG(seed, 0))
			circle := newCircle(c.center, c.meters)
			requireHonest(t, seed, r, circle, func() Box {
				a := circle.draw(r)
				size := int32(c.meters * math.Pow(10, 3-4*r.Float64()/2) / 100)
				return Box{a, Point{min(a.Lat+r.Int32N(size+1), maxLat), int32(min(int64(a.Lng)+r.Int64N(int64(size)+1)*2, maxLng))}}
			})
		})
	}
}

// requireHonest says that what Relate calls certain is so, and that it is not
// always unsure.
func requireHonest(t *testing.T, seed uint64, r *rand.Rand, s Shape, draw func() Box) {
	t.Helper()
	var seen [3]int
	for range rounds(3000) {
		b := draw()
		rel := s.Relate(b)
		seen[rel]++
		if rel == Overlaps {
			continue
		}
		for i := range 20 {
			p := Point{b.Min.Lat + int32(r.Int64N(int64(b.Max.Lat)-int64(b.Min.Lat)+1)), int32(int64(b.Min.Lng) + r.Int64N(int64(b.Max.Lng)-int64(b.Min.Lng)+1))}
			switch i {
			case 0:
				p = b.Min
			case 1:
				p = b.Max
			case 2:
				p = Point{b.Min.Lat, b.Max.Lng}
			case 3:
				p = Point{b.Max.Lat, b.Min.Lng}
			}
			require.Equal(t, rel == Covers, s.Contains(p), "seed %d: %v of %v", seed, p, b)
		}
	}
	require.Positive(t, seen[Disjoint], "seed %d", seed)
	require.Positive(t, seen[Covers], "seed %d", seed)
}

func TestBandsAreExact(t *testing.T) {
	t.Parallel()
	for _, c := range circles {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		var rings []float64
		for m := 250.0; m < 20_100_000; m *= 2 {
			rings = append(rings, m)
		}
		bands := NewBands(c.center, rings)
		for i := range rounds(20_000) {
			p := newCircle(c.center, rings[r.IntN(12)]).draw(r)
			if i%10 == 0 {
				p = randomPoint(r)
			}
			d, want := Distance(c.center, p), 0
			for want < len(rings) && d > rings[want] {
				want++
			}
			require.Equal(t, want, bands.Of(p), "seed %d: %v at %.9f", seed, p, d)
		}
	}
	require.Zero(t, NewBands(Point{}, nil).Of(Point{5, 5}))
}

func BenchmarkCircleFilter(b *testing.B) {
	c := newCircle(At(52.3676, 4.9041), 2500)
	r := rand.New(rand.NewPCG(1, 1))
	lat, lng, out := make([]int32, 64), make([]int32, 64), make([]uint16, 65)
	for i := range lat {
		lat[i], lng[i] = c.center.Lat+r.Int32N(400_000)-200_000, c.center.Lng+r.Int32N(600_000)-300_000
	}
	for b.Loop() {
		c.filter(lat, lng, out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/point")
}

func BenchmarkBandsOf(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	at := At(52.3676, 4.9041)
	bands := NewBands(at, []float64{250, 500, 1000, 2000, 4000, 8000})
	points := make([]Point, 1024)
	for i := range points {
		points[i] = Point{at.Lat + r.Int32N(400_000) - 200_000, at.Lng + r.Int32N(600_000) - 300_000}
	}
	i := 0
	for b.Loop() {
		bands.Of(points[i&1023])
		i++
	}
}
