package geoindex

// Bands says in which of some rings around a centre a point lies. [NewBands] is
// the only way to one. It is immutable and safe for concurrent use.
type Bands struct {
	metric
	rings []band
}

// band is a radius, and between which squares the geodesic has to decide: of the
// chord, and of the quick metric. The metric's slack is that of points within
// twice the radius; beyond, its square is out of doubt.
type band struct {
	meters              float64
	chordIn, chordOut   float64
	squareIn, squareOut float64
}

// bandReach is how far from the centre the quick metric is used, in metres: most
// of the people of an action are nearer, and it gets coarser with distance.
const bandReach = 30_000

// NewBands makes bands of radii in metres, which ascend. The first band holds
// the centre.
func NewBands(center Point, meters []float64) *Bands {
	b := &Bands{metric: newMetric(center, bandReach), rings: make([]band, len(meters))}
	for i, m := range meters {
		in, out := chordWithin(m), m*m*(1+1e-12)
		slack := b.slack
		if 2*m < bandReach {
			near := newMetric(center, 2*m)
			slack = near.slack
		}
		b.rings[i] = band{m, in, out, in - slack, out + slack}
	}
	return b
}

// Of is the number of the first ring that the point is in, by geodesic distance,
// the ring's edge included; the number of rings if it is beyond the last.
func (b *Bands) Of(p Point) int {
	dy, dx := b.offset(p)
	if abs(dy) > b.maxY || abs(dx) > b.maxX {
		return b.far(p)
	}
	square := b.square(float64(dy), float64(dx))
	for i := range b.rings {
		if r := &b.rings[i]; square <= r.squareOut {
			if square <= r.squareIn {
				return i
			}
			return b.exact(p, i)
		}
	}
	return len(b.rings)
}

// far is Of for points out of the metric's reach.
func (b *Bands) far(p Point) int {
	square := chord(b.center, p)
	slack := chordSlack(square)
	for i := range b.rings {
		if r := &b.rings[i]; square-slack <= r.chordOut {
			if square+slack <= r.chordIn {
				return i
			}
			return b.exact(p, i)
		}
	}
	return len(b.rings)
}

// exact begins at a ring that the point may be in.
func (b *Bands) exact(p Point, from int) int {
	d := Distance(b.center, p)
	for from < len(b.rings) && d > b.rings[from].meters {
		from++
	}
	return from
}
