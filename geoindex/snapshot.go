package geoindex

import "iter"

// Snapshot is an [Index] at one moment. It never changes, costs nothing to keep
// but the memory of what was changed since, and is safe for concurrent use.
type Snapshot struct {
	tree    *pageTree
	entries int
}

// Len is the number of entries.
func (s *Snapshot) Len() int { return s.entries }

// Bytes is what the entries take on the heap, all in: columns that a change has
// made stale too, until their page is packed again. What the allocator rounds up
// and what only earlier snapshots hold is not counted. It looks at every page.
func (s *Snapshot) Bytes() int {
	const ofPage = 64 // in the tree: a rectangle of 32 bytes and a pointer, at two thirds full
	n := 0
	s.tree.Scan(func(_, _ [2]int64, p *page) bool {
		n += p.bytes() + ofPage
		return true
	})
	return n
}

// Run is some entries that lie in an area: columns of equal length, entry i being
// (Lat[i], Lng[i]), Key[i], Class[i]. Covered says that they are a block of the
// index itself, which lies in the area whole: such columns may be kept. Others
// are valid until the next Run. Neither may be written to.
type Run struct {
	Lat, Lng   []int32
	Key, Class []uint32
	Covered    bool
}

// Len is the number of entries, at most 65,536.
func (r *Run) Len() int { return len(r.Key) }

// At is where entry i lies.
func (r *Run) At(i int) Point { return Point{r.Lat[i], r.Lng[i]} }

// Scratch is memory that a query works in. The zero Scratch is ready; reusing one
// saves allocations. It is for one query at a time.
type Scratch struct {
	pages []*page
	hits  []uint16
	found block
}

// Runs finds the entries in a shape, boundary included, in no order. It is the
// hot interface: whole blocks come as they are, without a look at their points.
// scratch must not be used by another query until the iteration has ended.
func (s *Snapshot) Runs(shape Shape, scratch *Scratch) iter.Seq[Run] {
	return func(yield func(Run) bool) {
		quick, _ := shape.(filter)
		q := query{shape: shape, filter: quick, scratch: scratch}
		for _, bound := range shape.Bound() {
			scratch.pages = scratch.pages[:0]
			low, high := corners(bound)
			s.tree.Search(low, high, func(_, _ [2]int64, p *page) bool {
				scratch.pages = append(scratch.pages, p)
				return true
			})
			for _, p := range scratch.pages {
				if !q.page(p, bound, yield) {
					return
				}
			}
		}
	}
}

// query is one search for runs. An area with two bounds is searched once for
// each: they share no point, so that a block that reaches into both is handed
// over in two parts, and only whole if it lies in one.
type query struct {
	shape   Shape
	filter  filter // the shape too, if it can
	scratch *Scratch
}

// page hands over what of a page is in the shape; false ends the query.
func (q *query) page(p *page, bound Box, yield func(Run) bool) bool {
	switch q.relate(p.box, bound) {
	case Disjoint:
		return true
	case Covers:
		if p.whole.len() > 0 {
			return yield(covered(&p.whole))
		}
		for i := range p.blocks {
			if !yield(covered(&p.blocks[i])) {
				return false
			}
		}
		return true
	}
	for i := range p.blocks {
		if p.minLat[i] > bound.Max.Lat || p.maxLat[i] < bound.Min.Lat || p.minLng[i] > bound.Max.Lng || p.maxLng[i] < bound.Min.Lng {
			continue
		}
		box := p.boxOf(i)
		switch q.relate(box, bound) {
		case Covers:
			if !yield(covered(&p.blocks[i])) {
				return false
			}
		case Overlaps:
			if r := q.points(&p.blocks[i], box, bound); r.Len() > 0 && !yield(r) {
				return false
			}
		}
	}
	return true
}

// relate is how the shape's part within a bound lies to a box.
func (q *query) relate(box, bound Box) Relation {
	r := q.shape.Relate(box)
	if r == Covers && !(bound.Contains(box.Min) && bound.Contains(box.Max)) {
		return Overlaps // the rest of the box is the other bound's
	}
	return r
}

func covered(b *block) Run { return Run{b.lat, b.lng, b.key, b.class, true} }

// points tests a block's points one by one.
func (q *query) points(b *block, box, bound Box) Run {
	s := q.scratch
	if n := b.len(); len(s.hits) <= n {
		s.hits = make([]uint16, n+blockMost)
		s.found = makeBlock(n + blockMost)
	}
	n := 0
	if q.filter != nil && bound.Contains(box.Min) && bound.Contains(box.Max) {
		n = q.filter.filter(b.lat, b.lng, s.hits)
	} else {
		for i := range b.lat {
			if at := (Point{b.lat[i], b.lng[i]}); bound.Contains(at) && q.shape.Contains(at) {
				s.hits[n] = uint16(i)
				n++
			}
		}
	}
	f := s.found.part(0, n)
	for to, from := range s.hits[:n] {
		f.lat[to], f.lng[to], f.key[to], f.class[to] = b.lat[from], b.lng[from], b.key[from], b.class[from]
	}
	return Run{f.lat, f.lng, f.key, f.class, false}
}

// Within finds the entries in a shape, boundary included, in no order.
func (s *Snapshot) Within(shape Shape) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for r := range s.Runs(shape, new(Scratch)) {
			for i, key := range r.Key {
				if !yield(Entry{Point{r.Lat[i], r.Lng[i]}, key, r.Class[i]}) {
					return
				}
			}
		}
	}
}

// All yields every entry, in no order.
func (s *Snapshot) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		s.tree.Scan(func(_, _ [2]int64, p *page) bool {
			for i := range p.blocks {
				for j := range p.blocks[i].len() {
					if !yield(p.blocks[i].entry(j)) {
						return false
					}
				}
			}
			return true
		})
	}
}
