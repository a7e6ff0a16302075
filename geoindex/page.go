package geoindex

import (
	"cmp"
	"slices"
)

// page is some neighbouring blocks, their boxes side by side in columns so that
// a query scans them in sequence. Like a block it is never written to once it is
// in a snapshot; the one Edit that made it may.
type page struct {
	box                            Box
	minLat, minLng, maxLat, maxLng []int32 // by block
	blocks                         []block
	whole                          block // all entries in one piece, as built; empty once a block has changed
	entries                        int
	changed                        int // changes since it was packed
	column                         int // entries, stale ones too, of the columns that blocks share
	edit                           *Edit
}

// newPage cuts columns into blocks that share them.
func newPage(whole block) *page {
	n := whole.len()
	p := makePage((n + blockBulk - 1) / blockBulk)
	for from := 0; from < n; from += blockBulk {
		p.put(whole.part(from, min(n, from+blockBulk)))
	}
	p.whole, p.column = whole, n
	p.tighten()
	return p
}

// makePage is a page without blocks and room for n of them.
func makePage(n int) *page {
	boxes := make([]int32, 4*n)
	column := func(i int) []int32 { return boxes[i*n : i*n : (i+1)*n] }
	return &page{
		minLat: column(0), minLng: column(1), maxLat: column(2), maxLng: column(3),
		blocks: make([]block, 0, n),
	}
}

// put adds a block at the end.
func (p *page) put(b block) { p.putAs(b, b.box()) }

// putAs is put for who knows the block's box: finding it reads all points.
func (p *page) putAs(b block, box Box) {
	p.blocks = append(p.blocks, b)
	p.minLat, p.minLng = append(p.minLat, box.Min.Lat), append(p.minLng, box.Min.Lng)
	p.maxLat, p.maxLng = append(p.maxLat, box.Max.Lat), append(p.maxLng, box.Max.Lng)
	p.entries += b.len()
}

// set replaces a block.
func (p *page) set(i int, b block) {
	p.entries += b.len() - p.blocks[i].len()
	box := b.box()
	p.blocks[i] = b
	p.minLat[i], p.minLng[i], p.maxLat[i], p.maxLng[i] = box.Min.Lat, box.Min.Lng, box.Max.Lat, box.Max.Lng
}

// drop takes a block out; the last takes its place.
func (p *page) drop(i int) {
	last := len(p.blocks) - 1
	p.entries -= p.blocks[i].len()
	p.blocks[i], p.minLat[i], p.minLng[i] = p.blocks[last], p.minLat[last], p.minLng[last]
	p.maxLat[i], p.maxLng[i] = p.maxLat[last], p.maxLng[last]
	p.blocks[last] = block{}
	p.blocks, p.minLat, p.minLng = p.blocks[:last], p.minLat[:last], p.minLng[:last]
	p.maxLat, p.maxLng = p.maxLat[:last], p.maxLng[:last]
}

func (p *page) boxOf(i int) Box {
	return Box{Point{p.minLat[i], p.minLng[i]}, Point{p.maxLat[i], p.maxLng[i]}}
}

// tighten makes the page's box the smallest that holds its blocks. An empty page
// keeps the one it had.
func (p *page) tighten() {
	if len(p.blocks) > 0 {
		p.box = Box{
			Point{slices.Min(p.minLat), slices.Min(p.minLng)},
			Point{slices.Max(p.maxLat), slices.Max(p.maxLng)},
		}
	}
}

// clone is a copy for an Edit to change; blocks are shared.
func (p *page) clone(e *Edit) *page {
	c := makePage(len(p.blocks) + 4)
	c.minLat, c.minLng = append(c.minLat, p.minLat...), append(c.minLng, p.minLng...)
	c.maxLat, c.maxLng = append(c.maxLat, p.maxLat...), append(c.maxLng, p.maxLng...)
	c.blocks = append(c.blocks, p.blocks...)
	c.box, c.entries, c.changed, c.column, c.edit = p.box, p.entries, p.changed, p.column, e
	return c
}

// add puts an entry into the block that grows least.
func (p *page) add(e Entry) {
	best, bestMore, bestArea := 0, 0.0, 0.0
	for i := range p.blocks {
		more, area := p.boxOf(i).growth(e.Point)
		if i == 0 || more < bestMore || more == bestMore && area < bestArea {
			best, bestMore, bestArea = i, more, area
		}
	}
	b := p.blocks[best].with(e)
	p.changed++
	if b.len() <= blockMost {
		p.set(best, b)
	} else {
		first, second := b.halves()
		p.set(best, first)
		p.put(second)
	}
	p.tighten()
}

// remove takes an entry out, if it is here. A block that gets small is joined to
// the one whose box grows least by it.
func (p *page) remove(e Entry) bool {
	i, at := p.find(e)
	if i < 0 {
		return false
	}
	p.changed++
	b := p.blocks[i].without(at)
	switch {
	case b.len() == 0:
		p.drop(i)
	case b.len() < blockLeast && len(p.blocks) > 1:
		p.drop(i)
		p.join(b)
	default:
		p.set(i, b)
	}
	p.tighten()
	return true
}

// find is the block and position of an entry, or -1.
func (p *page) find(e Entry) (blockAt, at int) {
	for i := range p.blocks {
		if p.boxOf(i).Contains(e.Point) {
			if at := p.blocks[i].find(e); at >= 0 {
				return i, at
			}
		}
	}
	return -1, -1
}

// join adds a block's entries to another block.
func (p *page) join(b block) {
	middle := b.box()
	at := Point{int32((int64(middle.Min.Lat) + int64(middle.Max.Lat)) / 2), int32((int64(middle.Min.Lng) + int64(middle.Max.Lng)) / 2)}
	best, least := 0, 0.0
	for i := range p.blocks {
		if more, _ := p.boxOf(i).growth(at); i == 0 || more < least {
			best, least = i, more
		}
	}
	both := joined(&p.blocks[best], &b)
	if both.len() <= blockMost {
		p.set(best, both)
		return
	}
	first, second := both.halves()
	p.set(best, first)
	p.put(second)
}

// halves splits a page across its longer side, by the middles of its blocks.
func (p *page) halves(e *Edit) (first, second *page) {
	order := make([]int, len(p.blocks))
	for i := range order {
		order[i] = i
	}
	tall := p.box.isTall()
	slices.SortFunc(order, func(x, y int) int {
		if tall {
			return cmp.Compare(int64(p.minLat[x])+int64(p.maxLat[x]), int64(p.minLat[y])+int64(p.maxLat[y]))
		}
		return cmp.Compare(int64(p.minLng[x])+int64(p.maxLng[x]), int64(p.minLng[y])+int64(p.maxLng[y]))
	})
	half := len(order) / 2
	return p.pick(order[:half], e), p.pick(order[half:], e)
}

// pick is a page of some of the blocks, to be packed.
func (p *page) pick(which []int, e *Edit) *page {
	c := makePage(len(which) + 4)
	for _, i := range which {
		c.putAs(p.blocks[i], p.boxOf(i))
	}
	c.edit = e
	c.tighten()
	return c
}

// packed is the page with all entries in one piece again: blocks that own their
// columns cost memory, and a page that lies inside an area is handed over whole
// only in one piece.
func (p *page) packed(e *Edit) *page {
	whole := makeBlock(p.entries)
	at := 0
	for i := range p.blocks {
		whole.copyAt(at, &p.blocks[i])
		at += p.blocks[i].len()
	}
	c := makePage(len(p.blocks) + 4)
	at = 0
	for i := range p.blocks {
		n := p.blocks[i].len()
		c.putAs(whole.part(at, at+n), p.boxOf(i))
		at += n
	}
	c.whole, c.column, c.edit, c.box = whole, at, e, p.box
	return c
}

// bytes is what a page holds on the heap. One block that shares the page's
// columns keeps all of them.
func (p *page) bytes() int {
	const header, ofBlock, ofEntry = 288, 104, 16 // on 64 bits, as allocated
	n := header + 4*4*cap(p.minLat) + ofBlock*cap(p.blocks)
	sharing := false
	for i := range p.blocks {
		if b := &p.blocks[i]; b.shared {
			sharing = true
		} else {
			n += ofEntry * b.len()
		}
	}
	if sharing {
		n += ofEntry * p.column
	}
	return n
}
