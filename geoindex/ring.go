package geoindex

import (
	"cmp"
	"fmt"
	"slices"
)

// ring is a closed line of straight edges in longitude and latitude: its
// vertices in order, the first not repeated at the end. Two neighbours differ.
type ring []Point

// edge is a line from one vertex to the next, with where it stands in the input.
type edge struct {
	a, b   Point
	ring   int // counting all rings of the area
	vertex int
}

// side says on which side of the line through a and b a point lies: 1 left, -1
// right, 0 on it. Exact: differences of longitude are below 2^32 and of latitude
// below 2^31, so that each product fits into 63 bits.
func side(a, b, p Point) int {
	left := (int64(b.Lng) - int64(a.Lng)) * (int64(p.Lat) - int64(a.Lat))
	right := (int64(b.Lat) - int64(a.Lat)) * (int64(p.Lng) - int64(a.Lng))
	return cmp.Compare(left, right)
}

func (e *edge) box() Box { return Box{e.a, e.a}.union(Box{e.b, e.b}) }

// touches says whether a point lies on the edge.
func (e *edge) touches(p Point) bool {
	return e.box().Contains(p) && side(e.a, e.b, p) == 0
}

// crosses says whether a ray from p due east meets the edge. Vertices count with
// the edge that leads north of them, so that a ray through one meets one edge of
// two that go on, and none or both of two that turn.
func (e *edge) crosses(p Point) bool {
	if (e.a.Lat > p.Lat) == (e.b.Lat > p.Lat) {
		return false
	}
	if e.b.Lat > e.a.Lat {
		return side(e.a, e.b, p) > 0
	}
	return side(e.a, e.b, p) < 0
}

// conflicts says whether two edges may not be in one area: they cross each other
// inside, or run along each other. Touching in a point is allowed.
func (e *edge) conflicts(o *edge) bool {
	s1, s2 := side(e.a, e.b, o.a), side(e.a, e.b, o.b)
	if s1 == 0 && s2 == 0 {
		return e.overlaps(o)
	}
	return s1*s2 < 0 && side(o.a, o.b, e.a)*side(o.a, o.b, e.b) < 0
}

// overlaps says whether two edges on one line share more than a point.
func (e *edge) overlaps(o *edge) bool {
	along := func(p Point) int64 {
		if e.a.Lng != e.b.Lng {
			return int64(p.Lng)
		}
		return int64(p.Lat)
	}
	from := max(min(along(e.a), along(e.b)), min(along(o.a), along(o.b)))
	to := min(max(along(e.a), along(e.b)), max(along(o.a), along(o.b)))
	return from < to
}

// edges lists the edges of a ring.
func (r ring) edges(number int) []edge {
	list := make([]edge, len(r))
	for i, a := range r {
		list[i] = edge{a, r[(i+1)%len(r)], number, i}
	}
	return list
}

// contains says whether p is inside the ring or on it.
func (r ring) contains(p Point) bool {
	inside := false
	for i, a := range r {
		e := edge{a: a, b: r[(i+1)%len(r)]}
		if e.touches(p) {
			return true
		}
		inside = inside != e.crosses(p)
	}
	return inside
}

// strictly says whether p is inside the ring and not on it.
func (r ring) strictly(p Point) bool {
	return r.contains(p) && !slices.ContainsFunc(r.edges(0), func(e edge) bool { return e.touches(p) })
}

// area is twice the ring's signed area in square units, positive if it runs
// against the clock; as float64, right to its last bits but for slivers.
func (r ring) area() float64 {
	sum, o := 0.0, r[0]
	for i := 1; i+1 < len(r); i++ {
		ax, ay := float64(int64(r[i].Lng)-int64(o.Lng)), float64(int64(r[i].Lat)-int64(o.Lat))
		bx, by := float64(int64(r[i+1].Lng)-int64(o.Lng)), float64(int64(r[i+1].Lat)-int64(o.Lat))
		sum += ax*by - bx*ay
	}
	return sum
}

// flat says whether all vertices lie on one line.
func (r ring) flat() bool {
	for i := 2; i < len(r); i++ {
		if side(r[0], r[1], r[i]) != 0 {
			return false
		}
	}
	return true
}

// tidy drops the repeated end and vertices that fell together on the grid.
func tidy(points []Point) ring {
	r := slices.Compact(slices.Clone(points))
	for len(r) > 1 && r[0] == r[len(r)-1] {
		r = r[:len(r)-1]
	}
	return ring(r)
}

// normal is the ring begun at its least vertex, against the clock or, for a
// hole, with it.
func (r ring) normal(hole bool) ring {
	n := slices.Clone(r)
	if len(n) == 0 {
		return n
	}
	if (n.area() < 0) != hole {
		slices.Reverse(n)
	}
	least := 0
	for i := range n {
		if n[i].compare(n[least]) < 0 {
			least = i
		}
	}
	return append(n[least:len(n):len(n)], n[:least]...)
}

func (p Point) compare(q Point) int {
	return cmp.Or(cmp.Compare(p.Lng, q.Lng), cmp.Compare(p.Lat, q.Lat))
}

// conflict finds two edges that may not be in one area, by a sweep from west to
// east: edges whose boxes meet are compared.
func conflict(edges []edge) (one, other edge, found bool) {
	order := make([]int, len(edges))
	boxes := make([]Box, len(edges))
	for i := range edges {
		order[i], boxes[i] = i, edges[i].box()
	}
	slices.SortFunc(order, func(x, y int) int { return cmp.Compare(boxes[x].Min.Lng, boxes[y].Min.Lng) })
	var active []int
	for _, i := range order {
		active = slices.DeleteFunc(active, func(j int) bool { return boxes[j].Max.Lng < boxes[i].Min.Lng })
		for _, j := range active {
			if boxes[i].Intersects(boxes[j]) && edges[i].conflicts(&edges[j]) {
				return edges[min(i, j)], edges[max(i, j)], true
			}
		}
		active = append(active, i)
	}
	return edge{}, edge{}, false
}

func vertexPath(path string, vertex int) string { return fmt.Sprintf("%s[%d]", path, vertex) }
