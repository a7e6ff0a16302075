package geoindex

import (
	"fmt"
	"math"
)

// polygon is a prepared polygon or multipolygon: the points an odd number of
// whose rings lie around them, and all rings themselves. Rings do not cross.
type polygon struct {
	edges []edge
	box   Box
	grid  raster
}

func newPolygon(edges []edge) *polygon {
	p := &polygon{edges: edges, box: edges[0].box()}
	for i := range edges {
		p.box = p.box.union(edges[i].box())
	}
	p.grid.build(p.box, edges)
	return p
}

// Bound is the smallest box.
func (p *polygon) Bound() []Box { return []Box{p.box} }

// Contains looks at the edges around the point's cell. It is exact.
func (p *polygon) Contains(at Point) bool {
	return p.box.Contains(at) && p.grid.contains(p.edges, at)
}

// Relate counts the cells under a box.
func (p *polygon) Relate(b Box) Relation {
	if !p.box.Intersects(b) {
		return Disjoint
	}
	r := p.grid.relate(b)
	if r == Covers && !(p.box.Contains(b.Min) && p.box.Contains(b.Max)) {
		return Overlaps
	}
	return r
}

func (p *polygon) filter(lat, lng []int32, out []uint16) int {
	n := 0
	lng = lng[:len(lat)]
	for i := range lat {
		at := Point{lat[i], lng[i]}
		out[n] = uint16(i)
		if p.box.Contains(at) && p.grid.contains(p.edges, at) {
			n++
		}
	}
	return n
}

// polygons is what a polygonal area is made of: for each polygon its outer ring
// and its holes.
type polygons [][]ring

// where names a ring as the contract does.
func (ps polygons) where(multi bool, polygon, hole int) string {
	if multi {
		return fmt.Sprintf("geometry.coordinates[%d][%d]", polygon, hole)
	}
	return fmt.Sprintf("geometry.coordinates[%d]", hole)
}

// check says what is wrong with polygons, and where, and lists their edges.
func (ps polygons) check(multi bool, l Limits) ([]edge, error) {
	var edges []edge
	var paths []string
	size := 0.0
	for i, rings := range ps {
		for j, r := range rings {
			path := ps.where(multi, i, j)
			paths = append(paths, path)
			if err := r.check(path); err != nil {
				return nil, err
			}
			edges = append(edges, r.edges(len(paths)-1)...)
			if j == 0 {
				size += r.squareKilometers()
			}
		}
	}
	switch {
	case len(edges) == 0:
		return nil, refuse("geometry.coordinates", "is empty")
	case len(edges) > l.Vertices:
		return nil, refuse("geometry.coordinates", "%d vertices, at most %d", len(edges), l.Vertices)
	case len(paths) > l.Rings:
		return nil, refuse("geometry.coordinates", "%d rings, at most %d", len(paths), l.Rings)
	case size > l.Area:
		return nil, refuse("geometry", "covers %.0f km2, at most %.0f", size, l.Area)
	}
	if one, other, found := conflict(edges); found {
		return nil, refuse(vertexPath(paths[one.ring], one.vertex), "the edge from here crosses, or runs along, the one from %s", vertexPath(paths[other.ring], other.vertex))
	}
	return edges, ps.nested(multi)
}

// check looks at one ring by itself.
func (r ring) check(path string) error {
	for i, p := range r {
		if !p.Valid() {
			return refuse(vertexPath(path, i), "is not a position on the earth")
		}
	}
	if len(r) < 3 || r.flat() {
		return refuse(path, "has no area: it needs three vertices that are not on one line")
	}
	for i, e := range r.edges(0) {
		if abs(int64(e.a.Lng)-int64(e.b.Lng)) > maxLng {
			return refuse(vertexPath(path, i), "the edge from here spans more than 180 degrees of longitude: cut the ring at the antimeridian (RFC 7946, 3.1.9)")
		}
	}
	return nil
}

// squareKilometers is the ring's area as if the latitude of its middle held for
// all of it: right to a few percent on the scale of a country.
func (r ring) squareKilometers() float64 {
	low, high := r[0].Lat, r[0].Lat
	for _, p := range r {
		low, high = min(low, p.Lat), max(high, p.Lat)
	}
	unit := unitRadian * 6371.0 // kilometres
	return math.Abs(r.area()) / 2 * unit * unit * math.Cos((float64(low)+float64(high))/2*unitRadian)
}

// nested says whether holes lie in their outer rings, and polygons apart.
func (ps polygons) nested(multi bool) error {
	for i, rings := range ps {
		for j, hole := range rings[1:] {
			if !rings[0].holds(hole) {
				return refuse(ps.where(multi, i, j+1), "is a hole outside of its outer ring")
			}
			for k, other := range rings[1:] {
				if k != j && other.holds(hole) {
					return refuse(ps.where(multi, i, j+1), "is a hole within a hole")
				}
			}
		}
		for k, other := range ps[:i] {
			if within(rings[0], other) || within(other[0], rings) {
				return refuse(ps.where(multi, i, 0), "lies over polygon %d", k)
			}
		}
	}
	return nil
}

// holds says whether a ring that does not cross this one lies within it.
func (r ring) holds(inner ring) bool {
	for _, p := range inner {
		if !r.contains(p) {
			return false
		}
		if r.strictly(p) {
			return true
		}
	}
	for _, e := range inner.edges(0) { // all its vertices are on the ring: its edges decide
		middle := Point{int32((int64(e.a.Lat) + int64(e.b.Lat)) / 2), int32((int64(e.a.Lng) + int64(e.b.Lng)) / 2)}
		if !r.contains(middle) {
			return false
		}
	}
	return true
}

// within says whether a ring that crosses none lies in a polygon and not in one
// of its holes.
func within(r ring, rings []ring) bool {
	if !rings[0].holds(r) {
		return false
	}
	for _, hole := range rings[1:] {
		if hole.holds(r) {
			return false
		}
	}
	return true
}
