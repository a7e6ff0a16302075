package geoindex

import (
	"math"
	"math/bits"
)

// raster divides a polygon's box into cells of a power of two units, made once a
// query. A cell that no edge passes through is inside or outside as a whole. Any
// other has a short list of edges and a parity, such that a point of it is inside
// if and only if the parity and the number of listed edges that a ray to the east
// crosses are odd together:
//
//   - edges that lie wholly east of the cell and span its row from below to above
//     are crossed by every such ray: they are counted in the parity;
//   - edges that lie wholly west of it are crossed by none;
//   - all others that reach into the cell's row are listed.
//
// Two tables of sums over the cells say in constant time how many cells under a
// box are inside, and how many are on the boundary.
type raster struct {
	min            Point
	shiftX, shiftY uint
	cols, rows     int
	cells          []cell
	list           []uint32 // numbers of edges, by cell
	inside, border []uint32 // sums over all cells to the south-west, (cols+1) x (rows+1)
}

// cell is one of the raster: list[from:to], and what it is.
type cell struct {
	from, to uint32
	parity   bool
	border   bool // an edge passes through
	inside   bool // if not border
}

// sideOf is how many cells a side has: enough for most blocks of a city to fall
// into one, few enough to be made in microseconds.
func sideOf(edges int) int64 {
	return int64(max(16, min(128, 1<<(bits.Len(uint(edges))/2+1))))
}

func (g *raster) build(box Box, edges []edge) {
	g.min = box.Min
	width, height := int64(box.Max.Lng)-int64(box.Min.Lng)+1, int64(box.Max.Lat)-int64(box.Min.Lat)+1
	side := sideOf(len(edges))
	g.shiftX, g.shiftY = shiftFor(width, side), shiftFor(height, side)
	g.cols, g.rows = int((width-1)>>g.shiftX)+1, int((height-1)>>g.shiftY)+1
	g.cells = make([]cell, g.cols*g.rows)
	for i := range edges {
		g.each(&edges[i], func(c *cell, through, counts bool) {
			switch {
			case counts:
				c.parity = !c.parity
			default:
				c.to++ // the length, until the list is laid out
			}
			c.border = c.border || through
		})
	}
	g.lay(edges)
	g.settle(edges)
	g.sum()
}

// shiftFor is the power of two that divides an extent into at most n parts.
func shiftFor(extent, n int64) uint {
	return uint(bits.Len64(uint64((extent - 1) / n)))
}

// lay gives every cell its part of the list and fills it.
func (g *raster) lay(edges []edge) {
	total := uint32(0)
	for i := range g.cells {
		c := &g.cells[i]
		n := c.to
		c.from, c.to = total, total
		total += n
	}
	g.list = make([]uint32, total)
	for i := range edges {
		g.each(&edges[i], func(c *cell, _, counts bool) {
			if !counts {
				g.list[c.to] = uint32(i)
				c.to++
			}
		})
	}
}

// each calls fn for every cell of the rows that an edge reaches into, but those
// wholly east of it. through: the edge passes through the cell, or as near to it
// as rounding may err. counts: every ray from the cell crosses it.
func (g *raster) each(e *edge, fn func(c *cell, through, counts bool)) {
	low, high := e.a, e.b
	if low.Lat > high.Lat {
		low, high = high, low
	}
	first, last := g.row(low.Lat), g.row(high.Lat)
	for row := first; row <= last; row++ {
		south := int64(g.min.Lat) + int64(row)<<g.shiftY
		north := south + 1<<g.shiftY - 1
		spans := int64(low.Lat) <= south && int64(high.Lat) > north
		west, east := clip(low, high, south, north)
		from, to := g.col(west), g.col(east)
		line := g.cells[row*g.cols : (row+1)*g.cols]
		for col := range line[:to+1] {
			through := col >= from
			fn(&line[col], through, spans && !through)
		}
	}
}

// clip is how far west and east an edge is between two latitudes, rounded
// outwards by more than the arithmetic errs.
func clip(low, high Point, south, north int64) (west, east int64) {
	a, b := float64(low.Lng), float64(high.Lng)
	if low.Lat != high.Lat {
		slope := (b - a) / (float64(high.Lat) - float64(low.Lat))
		at := func(lat int64) float64 { return float64(low.Lng) + (float64(lat)-float64(low.Lat))*slope }
		if south > int64(low.Lat) {
			a = at(south)
		}
		if north < int64(high.Lat) {
			b = at(north)
		}
	}
	return int64(math.Floor(math.Min(a, b))) - 1, int64(math.Ceil(math.Max(a, b))) + 1
}

func (g *raster) row(lat int32) int { return int((int64(lat) - int64(g.min.Lat)) >> g.shiftY) }

// col is the column of a longitude, the nearest if it is outside.
func (g *raster) col(lng int64) int {
	return int(max(0, min(int64(g.cols-1), (lng-int64(g.min.Lng))>>g.shiftX)))
}

// settle finds out, for the cells that no edge passes through, on which side they
// are, by one of their points.
func (g *raster) settle(edges []edge) {
	for row := range g.rows {
		for col := range g.cols {
			c := &g.cells[row*g.cols+col]
			if c.border {
				continue
			}
			c.inside = g.odd(edges, c, Point{
				int32(int64(g.min.Lat) + int64(row)<<g.shiftY),
				int32(int64(g.min.Lng) + int64(col)<<g.shiftX),
			})
		}
	}
}

// odd says whether a ray from a point of the cell crosses an odd number of edges.
func (g *raster) odd(edges []edge, c *cell, p Point) bool {
	odd := c.parity
	for _, i := range g.list[c.from:c.to] {
		odd = odd != edges[i].crosses(p)
	}
	return odd
}

// sum makes the tables.
func (g *raster) sum() {
	stride := g.cols + 1
	sums := make([]uint32, 2*stride*(g.rows+1))
	g.inside, g.border = sums[:len(sums)/2], sums[len(sums)/2:]
	for row := range g.rows {
		var inside, border uint32
		for col := range g.cols {
			switch c := &g.cells[row*g.cols+col]; {
			case c.border:
				border++
			case c.inside:
				inside++
			}
			at := (row+1)*stride + col + 1
			g.inside[at] = g.inside[at-stride] + inside
			g.border[at] = g.border[at-stride] + border
		}
	}
}

// relate is how the cells under a box lie: the box must reach into the raster.
func (g *raster) relate(b Box) Relation {
	top := g.min.Lat
	if int64(b.Min.Lat) > int64(top) {
		top = b.Min.Lat
	}
	south, north := g.row(top), min(g.rows-1, int((int64(b.Max.Lat)-int64(g.min.Lat))>>g.shiftY))
	west, east := g.col(int64(b.Min.Lng)), g.col(int64(b.Max.Lng))
	switch {
	case g.count(g.border, south, north, west, east) > 0:
		return Overlaps
	case g.count(g.inside, south, north, west, east) == 0:
		return Disjoint
	case int(g.count(g.inside, south, north, west, east)) == (north-south+1)*(east-west+1):
		return Covers
	}
	return Overlaps
}

func (g *raster) count(sums []uint32, south, north, west, east int) uint32 {
	stride := g.cols + 1
	return sums[(north+1)*stride+east+1] - sums[south*stride+east+1] - sums[(north+1)*stride+west] + sums[south*stride+west]
}

// contains says whether a point of the box is inside or on an edge.
func (g *raster) contains(edges []edge, p Point) bool {
	c := &g.cells[g.row(p.Lat)*g.cols+g.col(int64(p.Lng))]
	if !c.border {
		return c.inside
	}
	odd := c.parity
	for _, i := range g.list[c.from:c.to] {
		e := &edges[i]
		if e.touches(p) {
			return true
		}
		odd = odd != e.crosses(p)
	}
	return odd
}
