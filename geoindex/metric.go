package geoindex

import "math"

// metric decides distances from a centre without the geodesic. It bounds them by
// the chord, the straight line through the earth:
//
// A geodesic of length s is nowhere bent more than the most bent line on the
// ellipsoid, whose radius is leastRadius. By Schur's theorem its chord c is not
// shorter than that of a circle arc of that radius and length, and not longer
// than s itself:
//
//	c <= s <= 2 R asin(c / 2R),    s <= pi R,  R = leastRadius
//
// On 2.5 km the two are 16 micrometres apart. The chord squared, in turn, is
// expanded around the centre in differences dy of latitude and dx of longitude,
//
//	ky dy^2 + dx^2 (kx - kxy dy)
//
// with ky = M^2, kx = p^2, kxy = p M sin(lat), M the meridian's radius of
// curvature and p the parallel's radius at the centre. Within dy <= Dy and
// dx <= Dx the expansion is off by no more than the sum of
//
//	M^2 Dy^2 (0.0104 Dy + 0.0886 Dy^2)       meridian arc and its chord:
//	                                         |dM/dlat| <= 0.0102 M (3/2 e^2)
//	p Dx^2 (0.51 M Dy^2 + P Dx^2 / 12)       curvature of p(lat), |p''| <= 1.011 M,
//	                                         and of the cosine; P the largest p
//
// for Dy, Dx in radians up to 0.3 and 0.5; slack covers rounding. On 2.5 km that
// is 1 cm of distance, on 100 km some 10 m: what falls in that band is decided by
// the geodesic, which is 100 times slower.
type metric struct {
	center      Point
	ky, kx, kxy float64 // in square metres by square units, and one unit more
	maxY, maxX  int64   // where the expansion holds, in units; 0: nowhere
	slack       float64 // by how much it is off at most, square metres
}

const (
	leastRadius = polarRadius * polarRadius / equatorRadius // b^2/a, of the meridian at the equator
	unitRadian  = radian / grid
)

// newMetric holds within a reach in metres of a centre, if anywhere.
func newMetric(center Point, reach float64) metric {
	m := metric{center: center}
	dy, dx := extents(center, reach)
	if dy > 0.3 || dx > 0.5 {
		return m
	}
	lat := float64(center.Lat) * unitRadian
	sin, cos := math.Sincos(lat)
	w := 1 - ecc2*sin*sin
	normalRadius := equatorRadius / math.Sqrt(w)
	meridian := normalRadius * (1 - ecc2) / w
	parallel := normalRadius * cos
	m.ky = meridian * meridian * unitRadian * unitRadian
	m.kx = parallel * parallel * unitRadian * unitRadian
	m.kxy = parallel * meridian * sin * unitRadian * unitRadian * unitRadian
	m.maxY, m.maxX = int64(dy/unitRadian)+1, int64(dx/unitRadian)+1
	largest := parallelRadius(math.Max(0, math.Abs(lat)-dy))
	m.slack = meridian*meridian*dy*dy*(0.0104*dy+0.0886*dy*dy) +
		parallel*dx*dx*(0.51*equatorRadius*1.004*dy*dy+largest*dx*dx/12)
	m.slack = m.slack*1.001 + 1e-9*reach*reach + 1e-6
	return m
}

// parallelRadius is the radius of a circle of latitude.
func parallelRadius(lat float64) float64 {
	sin, cos := math.Sincos(lat)
	return equatorRadius * cos / math.Sqrt(1-ecc2*sin*sin)
}

// extents are how far in latitude and longitude, in radians, a line of a length
// can lead from a centre at most; Pi of longitude if it may pass a pole.
func extents(center Point, meters float64) (dy, dx float64) {
	dy = meters / leastRadius * (1 + 1e-9)
	highest := math.Abs(float64(center.Lat))*unitRadian + dy
	if highest >= math.Pi/2-1e-6 {
		return dy, math.Pi
	}
	return dy, math.Min(math.Pi, meters/parallelRadius(highest)*(1+1e-9))
}

// square is the expansion.
func (m *metric) square(dy, dx float64) float64 {
	return m.ky*dy*dy + dx*dx*(m.kx-m.kxy*dy)
}

// offset is a point's difference from the centre in units, the shorter way round
// the earth.
func (m *metric) offset(p Point) (dy, dx int64) {
	return int64(p.Lat) - int64(m.center.Lat), wrapped(int64(p.Lng) - int64(m.center.Lng))
}

func wrapped(dx int64) int64 {
	if dx > maxLng {
		return dx - 2*maxLng
	}
	if dx < -maxLng {
		return dx + 2*maxLng
	}
	return dx
}

// chordWithin is the largest chord squared whose geodesic is surely no longer
// than meters; -1 if there is none.
func chordWithin(meters float64) float64 {
	if meters >= math.Pi*leastRadius {
		return -1
	}
	c := 2 * leastRadius * math.Sin(meters/(2*leastRadius))
	return c * c * (1 - 1e-12)
}

// chord is the square of the straight line between two points, through the
// earth, in square metres, to a relative 1e-12 or 1e-6 m2, whichever is more.
func chord(a, b Point) float64 {
	x1, y1, z1 := cartesian(a)
	x2, y2, z2 := cartesian(b)
	return (x1-x2)*(x1-x2) + (y1-y2)*(y1-y2) + (z1-z2)*(z1-z2)
}

func cartesian(p Point) (x, y, z float64) {
	sin, cos := sinCosDegrees(float64(p.Lat) / grid)
	n := equatorRadius / math.Sqrt(1-ecc2*sin*sin)
	sinLng, cosLng := sinCosDegrees(float64(p.Lng) / grid)
	return n * cos * cosLng, n * cos * sinLng, n * (1 - ecc2) * sin
}

// chordSlack covers the rounding of chord: coordinates of 6e6 m are right to
// some 2e-9 m, so that a chord c is off by 4e-9 m and its square by 8e-9 c.
func chordSlack(square float64) float64 { return 1e-8*math.Sqrt(square) + 1e-12*square + 1e-12 }
