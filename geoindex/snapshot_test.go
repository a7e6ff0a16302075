package geoindex

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// boxes is a shape that is as simple as can be, and knows no quick filter.
type boxes []Box

func (s boxes) Bound() []Box { return s }

func (s boxes) Contains(p Point) bool {
	return slices.ContainsFunc(s, func(b Box) bool { return b.Contains(p) })
}

func (s boxes) Relate(o Box) Relation {
	relation := Disjoint
	for _, b := range s {
		if b.Contains(o.Min) && b.Contains(o.Max) {
			return Covers
		}
		if b.Intersects(o) {
			relation = Overlaps
		}
	}
	return relation
}

// liveHeap is what is on the heap after everything dead has gone.
func liveHeap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// requireHeap compares what a fill leaves on the heap with what the index says,
// to the tenth that the allocator rounds changed blocks up by.
// Tests that do so are not parallel: the heap is everybody's.
func requireHeap(t *testing.T, what string, fill func(*Index)) {
	t.Helper()
	before := liveHeap()
	ix := new(Index)
	fill(ix)
	held := liveHeap() - before
	t.Logf("%s: %.2f bytes a place on the heap, Bytes says %.2f", what, held/float64(ix.Snapshot().Len()), float64(ix.Snapshot().Bytes())/float64(ix.Snapshot().Len()))
	require.InEpsilon(t, held, float64(ix.Snapshot().Bytes()), 0.1, what)
	requireSane(t, ix.Snapshot())
}

func TestBytesIsWhatTheHeapHolds(t *testing.T) {
	const seed = 5
	r := rand.New(rand.NewPCG(seed, seed))
	entries := clustered(r, 200_000)
	at := slices.Clone(entries)
	requireHeap(t, "loaded", func(ix *Index) { ix.Load(slices.Clone(entries)) })
	requireHeap(t, "moved", func(ix *Index) {
		ix.Load(slices.Clone(entries))
		for range 30_000 {
			i := r.IntN(len(at))
			ix.Update(func(e *Edit) {
				require.True(t, e.Remove(at[i]))
				at[i].Lat += r.Int32N(2000) - 1000
				e.Add(at[i])
			})
		}
	})
	requireHeap(t, "added in one Update", func(ix *Index) {
		ix.Update(func(e *Edit) {
			for _, entry := range entries {
				e.Add(entry)
			}
		})
	})
	runtime.KeepAlive(entries)
	runtime.KeepAlive(at)
}

// TestRunsThemselvesAllocateNothing leaves out what a shape may allocate.
func TestRunsThemselvesAllocateNothing(t *testing.T) {
	var ix Index
	ix.Load(clustered(rand.New(rand.NewPCG(1, 1)), 100_000))
	s := ix.Snapshot()
	var scratch Scratch
	var shape Shape = boxes{{At(51, 4), At(52.5, 5.5)}}
	n := 0
	allocs := testing.AllocsPerRun(20, func() {
		for r := range s.Runs(shape, &scratch) {
			n += r.Len()
		}
	})
	require.Zero(t, allocs)
	require.Positive(t, n)
}

// TestTwoBounds: what lies in both parts of an area over the antimeridian comes
// once, also from a block that reaches from one side of the map to the other.
func TestTwoBounds(t *testing.T) {
	t.Parallel()
	var ix Index
	var entries []Entry
	for i := range 5_000 {
		lng := int32(maxLng - i*100)
		if i%2 == 0 {
			lng = -lng
		}
		entries = append(entries, Entry{Point: Point{Lat: int32(i % 7), Lng: lng}, Key: uint32(i)})
	}
	ix.Load(slices.Clone(entries))
	east := Box{Point{0, maxLng - 300_000}, Point{5, maxLng}}
	west := Box{Point{0, -maxLng}, Point{5, -maxLng + 200_000}}
	shape := boxes{east, west}
	var want []Entry
	for _, e := range entries {
		if shape.Contains(e.Point) {
			want = append(want, e)
		}
	}
	require.Equal(t, sortedEntries(want), sortedEntries(slices.Collect(ix.Snapshot().Within(shape))))
}

// TestIterationsStop: whoever has seen enough gets no more, wherever they are.
func TestIterationsStop(t *testing.T) {
	t.Parallel()
	var ix Index
	ix.Load(clustered(rand.New(rand.NewPCG(3, 3)), 20_000))
	s := ix.Snapshot()
	everywhere := boxes{{At(-90, -180), At(90, 180)}}
	some := boxes{{At(51, 4), At(52.5, 5.5)}}
	for _, shape := range []Shape{everywhere, some} {
		runs := 0
		for range s.Runs(shape, new(Scratch)) {
			runs++
		}
		for stop := 1; stop <= runs; stop++ {
			seen := 0
			for range s.Runs(shape, new(Scratch)) {
				if seen++; seen == stop {
					break
				}
			}
			require.Equal(t, stop, seen)
		}
		for range s.Within(shape) {
			break
		}
	}
	for range s.All() {
		break
	}
}

// TestCoveredRunsLast: a covered run may be kept, whatever becomes of the index.
func TestCoveredRunsLast(t *testing.T) {
	t.Parallel()
	var ix Index
	entries := clustered(rand.New(rand.NewPCG(4, 4)), 10_000)
	ix.Load(slices.Clone(entries))
	everywhere := boxes{{At(-90, -180), At(90, 180)}}
	var kept, copies []Run
	for r := range ix.Snapshot().Runs(everywhere, new(Scratch)) {
		require.True(t, r.Covered)
		kept = append(kept, r)
		copies = append(copies, Run{slices.Clone(r.Lat), slices.Clone(r.Lng), slices.Clone(r.Key), slices.Clone(r.Class), true})
		require.Equal(t, len(r.Lat), cap(r.Lat), "an append must not reach the next column")
	}
	ix.Update(func(e *Edit) {
		for i, entry := range entries[:5_000] {
			require.True(t, e.Remove(entry))
			entry.Lat += int32(i)
			e.Add(entry)
		}
	})
	require.Equal(t, copies, kept)
}
