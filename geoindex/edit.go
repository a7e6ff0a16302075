package geoindex

import "math"

// Edit is one [Index.Update]. It is of no use once its function has returned,
// and is for one goroutine.
type Edit struct {
	index *Index
}

// Add puts an entry in; one that is there already is there twice then. The point
// must be valid.
func (e *Edit) Add(entry Entry) {
	e.index.entries++
	p := e.home(entry.Point)
	if p == nil {
		whole := makeBlock(1)
		whole.set(0, entry)
		fresh := newPage(whole)
		fresh.edit = e
		e.insert(fresh)
		return
	}
	own, was := e.own(p), p.box
	own.add(entry)
	e.replaced(p, was, own)
}

// Remove takes out the entry that is equal to this one, or one of them if there
// are more. False means that there is none.
func (e *Edit) Remove(entry Entry) bool {
	p := e.find(entry)
	if p == nil {
		return false
	}
	e.index.entries--
	own, was := e.own(p), p.box
	own.remove(entry)
	e.replaced(p, was, own)
	return true
}

// own is a page that this Edit may write to: p itself or a copy.
func (e *Edit) own(p *page) *page {
	if p.edit == e {
		p.whole = block{}
		return p
	}
	return p.clone(e)
}

// replaced puts a changed page in the place of p, which stood in the tree with
// the box was: split, repacked or joined to another if it is time for that.
func (e *Edit) replaced(p *page, was Box, own *page) {
	blocks := len(own.blocks)
	stale := own.changed > blocks/2
	if own == p && own.box == was && blocks <= pageMost && blocks >= pageLeast && !stale {
		return
	}
	low, high := corners(was)
	e.index.tree.Delete(low, high, p)
	switch {
	case blocks == 0:
	case blocks > pageMost:
		first, second := own.halves(e)
		e.insert(first.packed(e))
		e.insert(second.packed(e))
	case blocks < pageLeast && p != own && e.absorbed(own):
	case stale:
		e.insert(own.packed(e))
	default:
		e.insert(own)
	}
}

func (e *Edit) insert(p *page) {
	low, high := corners(p.box)
	e.index.tree.Insert(low, high, p)
}

// absorbed moves a small page's blocks to the page next to it, if that has room.
func (e *Edit) absorbed(small *page) bool {
	p := e.home(small.box.Min)
	if p == nil || len(p.blocks)+len(small.blocks) > pageMost {
		return false
	}
	own, was := e.own(p), p.box
	for _, b := range small.blocks {
		own.put(b)
	}
	own.changed += small.changed
	own.column += small.column
	own.tighten()
	e.replaced(p, was, own)
	return true
}

// firstLook is how far around a point a page is looked for that is not there, in
// units: some 700 m. It doubles until there is one.
const firstLook = 1 << 16

// home is the page that grows least by a point; nil in an empty index.
func (e *Edit) home(at Point) *page {
	tree := e.index.tree
	if tree.Len() == 0 {
		return nil
	}
	var best *page
	for reach := int64(0); best == nil; reach = max(firstLook, 2*reach) {
		low, high := corners(Box{at, at})
		for i := range 2 {
			low[i], high[i] = low[i]-reach, high[i]+reach
		}
		least, smallest := math.Inf(1), math.Inf(1)
		tree.Search(low, high, func(_, _ [2]int64, p *page) bool {
			if more, area := p.box.growth(at); more < least || more == least && area < smallest {
				best, least, smallest = p, more, area
			}
			return true
		})
	}
	return best
}

// find is the page that has an entry; nil if none does.
func (e *Edit) find(entry Entry) *page {
	var found *page
	low, high := corners(Box{entry.Point, entry.Point})
	e.index.tree.Search(low, high, func(_, _ [2]int64, p *page) bool {
		if i, _ := p.find(entry); i >= 0 {
			found = p
		}
		return found == nil
	})
	return found
}
