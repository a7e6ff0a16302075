package geoindex

import "math"

// The figure of the earth: WGS-84 (NIMA TR8350.2).
const (
	equatorRadius = 6378137.0         // a, metres
	flattening    = 1 / 298.257223563 // f
	polarRadius   = equatorRadius * (1 - flattening)

	oneMinusF = 1 - flattening
	ecc2      = flattening * (2 - flattening)  // first eccentricity squared
	ecc2nd    = ecc2 / (oneMinusF * oneMinusF) // second eccentricity squared
	thirdFlat = flattening / (2 - flattening)  // n
	radian    = math.Pi / 180
	tiny      = 1.4916681462400413e-154 // root of the smallest normal number
	machine   = 2.220446049250313e-16   // 2^-52
	nearZero  = 200 * machine           // tol1 of GeographicLib
	rootEps   = 1.4901161193847656e-08  // root of machine
	cutStrip  = 1000 * rootEps          // how near the antipodal cut is "on it"
	newton    = 20                      // iterations, before bisection
	bisection = newton + 53 + 10
)

// Distance is the length in metres of the shortest line between two points on
// the WGS-84 ellipsoid, to some 15 nanometres. It takes about a microsecond. It
// is symmetric; points must be valid.
//
// The method is C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87,
// 43-55 (2013), the inverse problem, with series of the sixth order: it holds
// everywhere, antipodes included.
func Distance(a, b Point) float64 {
	if a == b {
		return 0
	}
	return inverse(a, b)
}

// endpoint is one end of a geodesic: reduced latitude and the factor dn of the paper.
type endpoint struct{ sin, cos, dn float64 }

func newEndpoint(lat int32) endpoint {
	s, c := sinCosDegrees(float64(lat) / grid)
	s *= oneMinusF
	h := math.Hypot(s, c)
	s, c = s/h, math.Max(tiny, c/h)
	return endpoint{s, c, math.Sqrt(1 + ecc2nd*s*s)}
}

// sinCosDegrees takes -180 to 180, and is exact at multiples of 90.
func sinCosDegrees(d float64) (sin, cos float64) {
	quarter := math.Round(d / 90)
	sin, cos = math.Sincos((d - 90*quarter) * radian)
	switch int(quarter) & 3 {
	case 1:
		return cos, -sin
	case 2:
		return -sin, -cos
	case 3:
		return -cos, sin
	}
	return sin, cos
}

// problem is the inverse problem in the paper's normal form: the first point is
// the farther from the equator and south of it, the second to the east.
type problem struct {
	one, two         endpoint
	lambda, sin, cos float64 // longitude difference in radians, 0 to pi
}

func normal(a, b Point) problem {
	if abs(a.Lat) < abs(b.Lat) {
		a, b = b, a
	}
	if a.Lat > 0 {
		a.Lat, b.Lat = -a.Lat, -b.Lat
	}
	diff := abs(int64(b.Lng) - int64(a.Lng)) // exact on the grid
	if diff > maxLng {
		diff = 2*maxLng - diff
	}
	p := problem{one: newEndpoint(a.Lat), two: newEndpoint(b.Lat), lambda: float64(diff) / grid * radian}
	if a.Lat == b.Lat {
		p.two = p.one // the same to the last bit: the branches below compare
	} else if a.Lat == -b.Lat {
		p.two = p.one
		p.two.sin = -p.one.sin
	}
	p.sin, p.cos = sinCosDegrees(float64(diff) / grid)
	return p
}

func abs[T int32 | int64](x T) T {
	if x < 0 {
		return -x
	}
	return x
}

func inverse(a, b Point) float64 {
	p := normal(a, b)
	if p.one.cos == tiny || p.sin == 0 {
		if s, ok := p.meridian(); ok {
			return s
		}
	}
	if p.one.sin == 0 && math.Pi-p.lambda >= flattening*math.Pi {
		return equatorRadius * p.lambda // along the equator
	}
	start := p.start()
	if start.short {
		return start.sigma * polarRadius * start.dn
	}
	l := p.solve(start)
	s, _ := l.lengths(p)
	return s * polarRadius
}

// meridian is the distance along a meridian, if that is the shortest.
func (p *problem) meridian() (float64, bool) {
	l := line{ssig1: p.one.sin, csig1: p.cos * p.one.cos, ssig2: p.two.sin, csig2: p.two.cos, eps: thirdFlat}
	l.sigma = math.Atan2(math.Max(0, l.csig1*l.ssig2-l.ssig1*l.csig2), l.csig1*l.csig2+l.ssig1*l.ssig2)
	s, reduced := l.lengths(*p)
	return s * polarRadius, l.sigma < 1 || reduced >= 0
}

// start is a first guess of the azimuth at point one.
type start struct {
	sin, cos  float64
	short     bool // the line is so short that sigma and dn are the answer
	sigma, dn float64
}

// start is the paper's InverseStart.
func (p *problem) start() start {
	one, two := p.one, p.two
	sbet12 := two.sin*one.cos - two.cos*one.sin
	cbet12 := two.cos*one.cos + two.sin*one.sin
	sbet12a := two.sin*one.cos + two.cos*one.sin
	near := cbet12 >= 0 && sbet12 < 0.5 && two.cos*p.lambda < 0.5
	somg, comg, dn := p.sin, p.cos, 0.0
	if near {
		m := (one.sin + two.sin) * (one.sin + two.sin)
		m /= m + (one.cos+two.cos)*(one.cos+two.cos)
		dn = math.Sqrt(1 + ecc2nd*m)
		somg, comg = math.Sincos(p.lambda / (oneMinusF * dn))
	}
	g := start{sin: two.cos * somg}
	if comg >= 0 {
		g.cos = sbet12 + two.cos*one.sin*somg*somg/(1+comg)
	} else {
		g.cos = sbet12a - two.cos*one.sin*somg*somg/(1-comg)
	}
	ssig, csig := math.Hypot(g.sin, g.cos), one.sin*two.sin+one.cos*two.cos*comg
	// 0.1 of the root of machine precision over the root of f (1 - f/2) / 2
	shortest := 0.1 * rootEps / math.Sqrt(flattening*(1-flattening/2)/2)
	switch {
	case near && ssig < shortest:
		g.short, g.sigma, g.dn = true, math.Atan2(ssig, csig), dn
		return g
	case csig < 0 && ssig < 6*thirdFlat*math.Pi*one.cos*one.cos:
		p.antipodal(&g, sbet12a)
	}
	if g.sin > 0 {
		h := math.Hypot(g.sin, g.cos)
		g.sin, g.cos = g.sin/h, g.cos/h
	} else {
		g.sin, g.cos = 1, 0
	}
	return g
}

// antipodal guesses for points nearly opposite, by the astroid.
func (p *problem) antipodal(g *start, sbet12a float64) {
	one, two := p.one, p.two
	eps := epsOf(one.sin * one.sin * ecc2nd)
	lamScale := flattening * one.cos * a3(eps) * math.Pi
	betScale := lamScale * one.cos
	x, y := math.Atan2(-p.sin, -p.cos)/lamScale, sbet12a/betScale
	if y > -nearZero && x > -1-cutStrip {
		g.sin = math.Min(1, -x)
		g.cos = -math.Sqrt(1 - g.sin*g.sin)
		return
	}
	k := astroid(x, y)
	somg, comg := math.Sincos(lamScale * -x * k / (1 + k))
	comg = -comg
	g.sin = two.cos * somg
	g.cos = sbet12a - two.cos*one.sin*somg*somg/(1-comg)
}

// astroid is the positive root of k^4 + 2k^3 - (x^2 + y^2 - 1) k^2 - 2y^2 k - y^2.
func astroid(x, y float64) float64 {
	p, q := x*x, y*y
	r := (p + q - 1) / 6
	if q == 0 && r <= 0 {
		return 0
	}
	s, r2 := p*q/4, r*r
	r3 := r * r2
	disc, u := s*(s+2*r3), r
	if disc >= 0 {
		t3 := s + r3
		t3 += math.Copysign(math.Sqrt(disc), t3)
		if t := math.Cbrt(t3); t != 0 {
			u += t + r2/t
		}
	} else {
		u += 2 * r * math.Cos(math.Atan2(math.Sqrt(-disc), -(s+r3))/3)
	}
	v := math.Sqrt(u*u + q)
	uv := u + v
	if u < 0 {
		uv = q / (v - u)
	}
	w := (uv - q) / (2 * v)
	return uv / (math.Sqrt(uv+w*w) + w)
}

// line is a geodesic on the auxiliary sphere.
type line struct {
	ssig1, csig1, ssig2, csig2 float64
	sigma, eps                 float64
}

// solve finds the azimuth by Newton's method, kept within a bracket that
// bisection takes over if need be.
func (p *problem) solve(g start) line {
	sin, cos := g.sin, g.cos
	lowSin, lowCos, highSin, highCos := tiny, 1.0, tiny, -1.0
	var l line
	onTarget, done := false, false
	for i := range bisection {
		var v, slope float64
		l, v, slope = p.lambda12(sin, cos)
		most := machine
		if onTarget {
			most = 8 * machine
		}
		if done || !(math.Abs(v) >= most) {
			break
		}
		if v > 0 && (i > newton || cos/sin > highCos/highSin) {
			highSin, highCos = sin, cos
		} else if v < 0 && (i > newton || cos/sin < lowCos/lowSin) {
			lowSin, lowCos = sin, cos
		}
		if step := -v / slope; i < newton && slope > 0 && math.Abs(step) < math.Pi {
			ds, dc := math.Sincos(step)
			if next := sin*dc + cos*ds; next > 0 {
				sin, cos = unit(next, cos*dc-sin*ds)
				onTarget = math.Abs(v) <= 16*machine
				continue
			}
		}
		sin, cos = unit((lowSin+highSin)/2, (lowCos+highCos)/2)
		onTarget = false
		done = math.Abs(lowSin-sin)+(lowCos-cos) < machine*rootEps || math.Abs(sin-highSin)+(cos-highCos) < machine*rootEps
	}
	return l
}

func unit(x, y float64) (float64, float64) {
	h := math.Hypot(x, y)
	return x / h, y / h
}

// lambda12 is by how much a line that starts at an azimuth misses the second
// point's longitude, and how that changes with the azimuth.
func (p *problem) lambda12(sin, cos float64) (l line, miss, slope float64) {
	one, two := p.one, p.two
	if one.sin == 0 && cos == 0 {
		cos = -tiny
	}
	sin0, cos0 := sin*one.cos, math.Hypot(cos, sin*one.sin)
	somg1, comg1 := sin0*one.sin, cos*one.cos
	l.ssig1, l.csig1 = unit(one.sin, comg1)
	cos2 := math.Abs(cos)
	if two.cos != one.cos || math.Abs(two.sin) != -one.sin {
		gap := (one.sin - two.sin) * (one.sin + two.sin)
		if one.cos < -one.sin {
			gap = (two.cos - one.cos) * (one.cos + two.cos)
		}
		cos2 = math.Sqrt(cos*one.cos*cos*one.cos+gap) / two.cos
	}
	somg2, comg2 := sin0*two.sin, cos2*two.cos
	l.ssig2, l.csig2 = unit(two.sin, comg2)
	l.sigma = math.Atan2(math.Max(0, l.csig1*l.ssig2-l.ssig1*l.csig2), l.csig1*l.csig2+l.ssig1*l.ssig2)
	somg, comg := math.Max(0, comg1*somg2-somg1*comg2), comg1*comg2+somg1*somg2
	eta := math.Atan2(somg*p.cos-comg*p.sin, comg*p.cos+somg*p.sin)
	l.eps = epsOf(cos0 * cos0 * ecc2nd)
	c3 := c3(l.eps)
	b := sinSeries(l.ssig2, l.csig2, c3[:]) - sinSeries(l.ssig1, l.csig1, c3[:])
	miss = eta - flattening*a3(l.eps)*sin0*(l.sigma+b)
	if cos2 == 0 {
		return l, miss, -2 * oneMinusF * one.dn / one.sin
	}
	_, reduced := l.lengths(*p)
	return l, miss, reduced * oneMinusF / (cos2 * two.cos)
}

// lengths are the length of the line and its reduced length, in polar radii.
func (l *line) lengths(p problem) (length, reduced float64) {
	m1, m2 := a1m1(l.eps), a2m1(l.eps)
	c1, c2 := c1(l.eps), c2(l.eps)
	b1 := sinSeries(l.ssig2, l.csig2, c1[:]) - sinSeries(l.ssig1, l.csig1, c1[:])
	b2 := sinSeries(l.ssig2, l.csig2, c2[:]) - sinSeries(l.ssig1, l.csig1, c2[:])
	length = (1 + m1) * (l.sigma + b1)
	j := (m1-m2)*l.sigma + ((1+m1)*b1 - (1+m2)*b2)
	reduced = p.two.dn*(l.csig1*l.ssig2) - p.one.dn*(l.ssig1*l.csig2) - l.csig1*l.csig2*j
	return length, reduced
}
