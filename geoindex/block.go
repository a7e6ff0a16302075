package geoindex

import (
	"cmp"
	"slices"
)

// Sizes of blocks and pages, in entries and blocks. Larger blocks make fewer
// boxes to look at and more points to test one by one; the figures are those of
// design section 3.
const (
	blockBulk  = 64  // entries of a block when it is built
	blockMost  = 128 // a larger one is split
	blockLeast = 16  // a smaller one is joined to a neighbour
	pageBulk   = 48  // blocks of a page when it is built
	pageMost   = 96
	pageLeast  = 12
)

// block is some entries that lie near each other, in columns of equal length.
// Readers share it: it is never written to once it is in a snapshot.
type block struct {
	lat, lng   []int32
	key, class []uint32
	shared     bool // the columns are part of its page's
}

// makeBlock is a block of its own. Two columns of a type are one allocation.
func makeBlock(n int) block {
	position, value := make([]int32, 2*n), make([]uint32, 2*n)
	return block{position[:n:n], position[n:], value[:n:n], value[n:], false}
}

func (b *block) len() int { return len(b.key) }

func (b *block) entry(i int) Entry {
	return Entry{Point{b.lat[i], b.lng[i]}, b.key[i], b.class[i]}
}

func (b *block) set(i int, e Entry) {
	b.lat[i], b.lng[i], b.key[i], b.class[i] = e.Lat, e.Lng, e.Key, e.Class
}

// part is entries [from, to), sharing memory, without room to grow into it.
func (b *block) part(from, to int) block {
	return block{b.lat[from:to:to], b.lng[from:to:to], b.key[from:to:to], b.class[from:to:to], true}
}

// with is a copy with one more entry.
func (b *block) with(e Entry) block {
	n := b.len()
	c := makeBlock(n + 1)
	c.copyAt(0, b)
	c.set(n, e)
	return c
}

// without is a copy with one entry less.
func (b *block) without(at int) block {
	before, behind := b.part(0, at), b.part(at+1, b.len())
	return joined(&before, &behind)
}

// joined is a copy of both.
func joined(a, b *block) block {
	c := makeBlock(a.len() + b.len())
	c.copyAt(0, a)
	c.copyAt(a.len(), b)
	return c
}

func (b *block) copyAt(at int, from *block) {
	copy(b.lat[at:], from.lat)
	copy(b.lng[at:], from.lng)
	copy(b.key[at:], from.key)
	copy(b.class[at:], from.class)
}

// find is where an entry is, -1 if it is not here.
func (b *block) find(e Entry) int {
	for i, key := range b.key {
		if key == e.Key && b.entry(i) == e {
			return i
		}
	}
	return -1
}

// box is the smallest that holds all entries; the block has at least one.
func (b *block) box() Box {
	return Box{Point{slices.Min(b.lat), slices.Min(b.lng)}, Point{slices.Max(b.lat), slices.Max(b.lng)}}
}

// halves splits a block across its longer side. However many entries have the
// same position, each half gets its share.
func (b *block) halves() (block, block) {
	entries := make([]Entry, b.len())
	for i := range entries {
		entries[i] = b.entry(i)
	}
	byLat := b.box().isTall()
	slices.SortFunc(entries, func(x, y Entry) int {
		if byLat {
			return cmp.Compare(x.Lat, y.Lat)
		}
		return cmp.Compare(x.Lng, y.Lng)
	})
	middle := len(entries) / 2
	return blockOf(entries[:middle]), blockOf(entries[middle:])
}

func blockOf(entries []Entry) block {
	b := makeBlock(len(entries))
	for i, e := range entries {
		b.set(i, e)
	}
	return b
}

func (b Box) isTall() bool {
	return int64(b.Max.Lat)-int64(b.Min.Lat) > int64(b.Max.Lng)-int64(b.Min.Lng)
}

// union is the smallest box that holds both.
func (b Box) union(o Box) Box {
	return Box{
		Point{min(b.Min.Lat, o.Min.Lat), min(b.Min.Lng, o.Min.Lng)},
		Point{max(b.Max.Lat, o.Max.Lat), max(b.Max.Lng, o.Max.Lng)},
	}
}

// growth is how much larger in area the box gets if it takes in p, in square
// units, and how large it is: what to compare when looking for a home.
func (b Box) growth(p Point) (more, area float64) {
	size := func(b Box) float64 {
		return (float64(b.Max.Lat) - float64(b.Min.Lat) + 1) * (float64(b.Max.Lng) - float64(b.Min.Lng) + 1)
	}
	area = size(b)
	return size(b.union(Box{p, p})) - area, area
}
