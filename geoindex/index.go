package geoindex

import (
	"sync"
	"sync/atomic"

	"github.com/tidwall/rtree"
)

// Several is a bit of an [Entry]'s key that says that the key has other entries
// too. The index only carries it: whoever gathers keys needs to look out for
// repetitions only among those.
const Several uint32 = 1 << 31

// Entry is a point with what it stands for: a key, whose highest bit is
// [Several], and a class, both of which are opaque here. The zero Entry is valid.
type Entry struct {
	Point
	Key   uint32
	Class uint32
}

// Index holds millions of entries and finds those in an area. The zero Index is
// empty and ready. Readers take a [Snapshot] and never wait; changes go one after
// another and are seen whole or not at all. An Index must not be copied.
type Index struct {
	write   sync.Mutex // held by the one change
	tree    *pageTree  // the writer's own; snapshots have copies
	entries int
	current atomic.Pointer[Snapshot]
}

// pageTree holds pages by their boxes. Coordinates are 64 bits wide so that the
// tree's areas do not overflow.
type pageTree = rtree.RTreeGN[int64, *page]

// corners is a box as the tree wants it.
func corners(b Box) (low, high [2]int64) {
	return [2]int64{int64(b.Min.Lng), int64(b.Min.Lat)}, [2]int64{int64(b.Max.Lng), int64(b.Max.Lat)}
}

// Snapshot is the index as it is now. It costs one atomic load.
func (ix *Index) Snapshot() *Snapshot {
	if s := ix.current.Load(); s != nil {
		return s
	}
	return &Snapshot{tree: new(pageTree)}
}

// publish shows the writer's tree. Only the writer may copy it: rtree's Copy
// writes to what it copies.
func (ix *Index) publish() {
	ix.current.Store(&Snapshot{tree: ix.tree.Copy(), entries: ix.entries})
}

// Update changes the index: when it returns, all that fn did is seen by every
// later Snapshot, and nothing of it by an earlier one. Changes of one page are
// folded into one. fn must not use the Index itself.
func (ix *Index) Update(fn func(*Edit)) {
	ix.write.Lock()
	defer ix.write.Unlock()
	if ix.tree == nil {
		ix.tree = new(pageTree)
	}
	fn(&Edit{index: ix})
	ix.publish()
}
