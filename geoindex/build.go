package geoindex

import (
	"math"
	"sync"
)

// Load replaces all entries. It takes the slice over and reorders it. Points must
// be valid. Readers see the old entries until the new ones are all there.
//
// Entries are sorted along a Hilbert curve over their bounding box, with 32-bit
// ranks and positions in one word and a radix sort, and cut into pages: ranks and
// pages are made on two cores.
func (ix *Index) Load(entries []Entry) {
	ix.write.Lock()
	defer ix.write.Unlock()
	ix.tree, ix.entries = new(pageTree), len(entries)
	order := ranked(entries)
	const size = blockBulk * pageBulk
	pages := make([]*page, (len(entries)+size-1)/size)
	inHalves(len(pages), func(from, to int) {
		for i := from; i < to; i++ {
			part := order[i*size : min(len(order), (i+1)*size)]
			whole := makeBlock(len(part))
			for j, o := range part {
				whole.set(j, entries[uint32(o)])
			}
			pages[i] = newPage(whole)
		}
	})
	for _, p := range pages {
		low, high := corners(p.box)
		ix.tree.Insert(low, high, p)
	}
	ix.publish()
}

// ranked lists the entries' positions along the curve, each in the lower half of
// a word below its rank.
func ranked(entries []Entry) []uint64 {
	curve := newCurve(boundOf(entries))
	order := make([]uint64, len(entries))
	inHalves(len(entries), func(from, to int) {
		for i := from; i < to; i++ {
			order[i] = uint64(curve.rank(entries[i].Point))<<32 | uint64(i)
		}
	})
	return radixSorted(order)
}

// boundOf is the box of all entries, the zero box if there are none.
func boundOf(entries []Entry) Box {
	if len(entries) == 0 {
		return Box{}
	}
	b := Box{Point{math.MaxInt32, math.MaxInt32}, Point{math.MinInt32, math.MinInt32}}
	for i := range entries {
		b = b.union(Box{entries[i].Point, entries[i].Point})
	}
	return b
}

// radixSorted sorts words by their upper halves, 11 bits at a time; words that
// are equal there keep their order. It returns its argument or a new slice.
func radixSorted(words []uint64) []uint64 {
	const bits = 11
	other := make([]uint64, len(words))
	for shift := 32; shift < 64; shift += bits {
		var at [1 << bits]int
		for _, w := range words {
			at[w>>shift&(1<<bits-1)]++
		}
		sum := 0
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, w := range words {
			i := w >> shift & (1<<bits - 1)
			other[at[i]] = w
			at[i]++
		}
		words, other = other, words
	}
	return words
}

// inHalves runs fn on [0, n) in two halves at once.
func inHalves(n int, fn func(from, to int)) {
	var group sync.WaitGroup
	group.Go(func() { fn(0, n/2) })
	fn(n/2, n)
	group.Wait()
}
