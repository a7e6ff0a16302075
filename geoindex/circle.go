package geoindex

import "math"

// circle is a prepared circle: all points whose geodesic distance from the
// centre is no more than the radius.
type circle struct {
	metric
	meters    float64
	near, far float64 // chord squared: surely inside up to near, surely outside beyond far
	bound     []Box
	local     bool // the metric holds throughout the bound
}

func newCircle(center Point, meters float64) *circle {
	c := &circle{
		metric: newMetric(center, meters), meters: meters,
		near: chordWithin(meters), far: meters * meters * (1 + 1e-12),
		bound: around(center, meters),
	}
	c.local = c.maxY > 0
	return c
}

// around is the bound of a circle: two boxes if it crosses the antimeridian, the
// full width of the earth if it holds a pole.
func around(center Point, meters float64) []Box {
	dy, dx := extents(center, meters)
	lat := func(units float64) int32 { return int32(max(-maxLat, min(maxLat, units))) }
	south := lat(math.Floor(float64(center.Lat) - dy/unitRadian - 1))
	north := lat(math.Ceil(float64(center.Lat) + dy/unitRadian + 1))
	half := int64(dx/unitRadian) + 2
	west, east := int64(center.Lng)-half, int64(center.Lng)+half
	box := func(from, to int64) Box { return Box{Point{south, int32(from)}, Point{north, int32(to)}} }
	switch {
	case half >= maxLng:
		return []Box{box(-maxLng, maxLng)}
	case west <= -maxLng:
		return []Box{box(-maxLng, min(east, west+2*maxLng-1)), box(west+2*maxLng, maxLng)}
	case east >= maxLng:
		return []Box{box(west, maxLng), box(-maxLng, min(east-2*maxLng, west-1))}
	}
	return []Box{box(west, east)}
}

// Bound is of a width that holds the circle with a unit to spare.
func (c *circle) Bound() []Box { return c.bound }

// Contains asks the geodesic only where the chord cannot tell.
func (c *circle) Contains(p Point) bool {
	dy, dx := c.offset(p)
	if c.local {
		if abs(dy) > c.maxY || abs(dx) > c.maxX {
			return false
		}
		switch square := c.square(float64(dy), float64(dx)); {
		case square <= c.near-c.slack:
			return true
		case square > c.far+c.slack:
			return false
		}
		return Distance(c.center, p) <= c.meters
	}
	square := chord(c.center, p)
	slack := chordSlack(square)
	switch {
	case square+slack <= c.near:
		return true
	case square-slack > c.far:
		return false
	}
	return Distance(c.center, p) <= c.meters
}

// Relate looks at the corners that are nearest and farthest in each direction.
func (c *circle) Relate(b Box) Relation {
	if !c.local {
		return c.relateFar(b)
	}
	if int64(b.Max.Lng)-int64(b.Min.Lng) >= maxLng {
		return Overlaps // it is near on both sides of the earth
	}
	low, high := int64(b.Min.Lat)-int64(c.center.Lat), int64(b.Max.Lat)-int64(c.center.Lat)
	left, right := c.turned(b)
	if low > c.maxY || high < -c.maxY || left > c.maxX || right < -c.maxX {
		return Disjoint
	}
	nearY, farY := span(low, high)
	nearX, farX := span(left, right)
	if farY <= c.maxY && farX <= c.maxX {
		// kx - kxy dy is the larger at one end of the box, the smaller at the other.
		one, other := c.kx-c.kxy*float64(low), c.kx-c.kxy*float64(high)
		y, x := float64(farY), float64(farX)
		if c.ky*y*y+x*x*math.Max(one, other) <= c.near-c.slack {
			return Covers
		}
		y, x = float64(nearY), float64(nearX)
		if c.ky*y*y+x*x*math.Min(one, other) > c.far+c.slack {
			return Disjoint
		}
		return Overlaps
	}
	// The box reaches beyond where the metric holds: look at the part within.
	low, high = max(low, -c.maxY), min(high, c.maxY)
	least := math.Min(c.kx-c.kxy*float64(low), c.kx-c.kxy*float64(high))
	y, x := float64(nearY), float64(nearX)
	if c.ky*y*y+x*x*least > c.far+c.slack {
		return Disjoint
	}
	return Overlaps
}

// turned is a box's longitudes from the centre, the way round that is nearer.
func (c *circle) turned(b Box) (left, right int64) {
	left, right = int64(b.Min.Lng)-int64(c.center.Lng), int64(b.Max.Lng)-int64(c.center.Lng)
	if left > c.maxX && right-2*maxLng >= -c.maxX {
		return left - 2*maxLng, right - 2*maxLng
	}
	if right < -c.maxX && left+2*maxLng <= c.maxX {
		return left + 2*maxLng, right + 2*maxLng
	}
	return left, right
}

// span is the least and the largest absolute value in [low, high].
func span(low, high int64) (near, far int64) {
	far = max(abs(low), abs(high))
	if low <= 0 && high >= 0 {
		return 0, far
	}
	return min(abs(low), abs(high)), far
}

// relateFar is Relate of a circle that is too large, or too near a pole, for the
// metric: only what is out of its bound, and boxes around whose middle a circle
// fits that reaches all corners, are certain.
func (c *circle) relateFar(b Box) Relation {
	inBound := false
	for _, bound := range c.bound {
		inBound = inBound || bound.Intersects(b)
	}
	if !inBound {
		return Disjoint
	}
	middle := Point{int32((int64(b.Min.Lat) + int64(b.Max.Lat)) / 2), int32((int64(b.Min.Lng) + int64(b.Max.Lng)) / 2)}
	// From the middle of a box its border is no farther than along the meridian
	// and then the widest parallel, neither of which is curved less than 6400 km.
	height := (float64(b.Max.Lat) - float64(b.Min.Lat)) / 2 * unitRadian * 6_400_000
	width := (float64(b.Max.Lng) - float64(b.Min.Lng)) / 2 * unitRadian * equatorRadius
	switch reach, d := height+width+1, Distance(c.center, middle); {
	case d+reach <= c.meters:
		return Covers
	case d-reach > c.meters:
		return Disjoint
	}
	return Overlaps
}

// filter appends without branches, and looks again, with the geodesic, only if
// a point was near the rim.
func (c *circle) filter(lat, lng []int32, out []uint16) int {
	if !c.local {
		return filterEach(c, lat, lng, out)
	}
	near, far := c.near-c.slack, c.far+c.slack
	lat0, lng0 := int64(c.center.Lat), int64(c.center.Lng)
	n, unsure := 0, 0
	lng = lng[:len(lat)]
	for i := range lat {
		dy, dx := int64(lat[i])-lat0, wrapped(int64(lng[i])-lng0)
		y, x := float64(dy), float64(dx)
		square := c.ky*y*y + x*x*(c.kx-c.kxy*y)
		out[n] = uint16(i)
		hit := 0
		if square <= far {
			hit = 1
		}
		// out of where the metric holds: the sign of either difference
		hit &^= int(uint64(c.maxY-dy)>>63 | uint64(c.maxY+dy)>>63 | uint64(c.maxX-dx)>>63 | uint64(c.maxX+dx)>>63)
		n += hit
		if square > near {
			unsure += hit
		}
	}
	if unsure == 0 {
		return n
	}
	kept := 0
	for _, i := range out[:n] {
		if c.Contains(Point{lat[i], lng[i]}) {
			out[kept] = i
			kept++
		}
	}
	return kept
}

// filterEach is filter for shapes without a quicker way.
func filterEach(s Shape, lat, lng []int32, out []uint16) int {
	n := 0
	for i := range lat {
		if s.Contains(Point{lat[i], lng[i]}) {
			out[n] = uint16(i)
			n++
		}
	}
	return n
}
