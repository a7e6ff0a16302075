package geoindex

import "math"

// Bands says in which of some rings around a centre a point lies. [NewBands] is
// the only way to one. It is immutable and safe for concurrent use.
type Bands struct {
	metric
	rings []band
}

type band struct{ meters, near, far float64 } // radius, and chords squared as in circle

// bandReach is how far from the centre the quick metric is used, in metres: most
// of the people of an action are nearer, and it gets coarser with distance.
const bandReach = 30_000

// NewBands makes bands of radii in metres, which ascend. The first band holds
// the centre.
func NewBands(center Point, meters []float64) *Bands {
	b := &Bands{metric: newMetric(center, bandReach), rings: make([]band, len(meters))}
	for i, m := range meters {
		b.rings[i] = band{m, chordWithin(m), m * m * (1 + 1e-12)}
	}
	return b
}

// Of is the number of the first ring that the point is in, by geodesic distance,
// the ring's edge included; the number of rings if it is beyond the last.
func (b *Bands) Of(p Point) int {
	dy, dx := b.offset(p)
	var square, slack float64
	if abs(dy) <= b.maxY && abs(dx) <= b.maxX {
		square, slack = b.square(float64(dy), float64(dx)), b.slackAt(dy, dx)
	} else {
		square = chord(b.center, p)
		slack = chordSlack(square)
	}
	for i := range b.rings {
		r := &b.rings[i]
		if square+slack <= r.near {
			return i
		}
		if square-slack <= r.far {
			return b.exact(p, i)
		}
	}
	return len(b.rings)
}

// slackAt is the metric's slack for a point as far out as this one. It shrinks
// with the third power of the distance, and with the second still is a bound.
func (b *Bands) slackAt(dy, dx int64) float64 {
	y, x := float64(dy)/float64(b.maxY), float64(dx)/float64(b.maxX)
	return b.slack*math.Min(1, y*y+x*x) + 1e-6
}

// exact begins at a ring that the point may be in.
func (b *Bands) exact(p Point, from int) int {
	d := Distance(b.center, p)
	for from < len(b.rings) && d > b.rings[from].meters {
		from++
	}
	return from
}
