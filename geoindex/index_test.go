package geoindex

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clustered makes up entries around towns.
func clustered(r *rand.Rand, n int) []Entry {
	towns := make([]Point, 40)
	for i := range towns {
		towns[i] = At(50.8+2.6*r.Float64(), 3.5+3.6*r.Float64())
	}
	entries := make([]Entry, n)
	for i := range entries {
		town := towns[min(r.IntN(len(towns)), r.IntN(len(towns)))]
		entries[i] = Entry{
			Point: Point{town.Lat + int32(r.NormFloat64()*300_000), town.Lng + int32(r.NormFloat64()*450_000)},
			Key:   uint32(i), Class: r.Uint32N(20_000),
		}
	}
	return entries
}

// requireSane checks all that is to be true of the pages of a snapshot.
func requireSane(t *testing.T, s *Snapshot) {
	t.Helper()
	seen, entries := map[*page]bool{}, 0
	s.tree.Scan(func(low, high [2]int64, p *page) bool {
		require.False(t, seen[p], "a page twice")
		seen[p] = true
		wantLow, wantHigh := corners(p.box)
		require.Equal(t, wantLow, low)
		require.Equal(t, wantHigh, high)
		require.NotEmpty(t, p.blocks)
		require.LessOrEqual(t, len(p.blocks), pageMost+1)
		box, n := p.blocks[0].box(), 0
		for i := range p.blocks {
			b := &p.blocks[i]
			require.Positive(t, b.len())
			require.LessOrEqual(t, b.len(), blockMost)
			require.Equal(t, b.box(), p.boxOf(i))
			box = box.union(b.box())
			n += b.len()
		}
		require.Equal(t, box, p.box)
		require.Equal(t, p.entries, n)
		if p.whole.len() > 0 {
			require.Equal(t, n, p.whole.len())
		}
		entries += n
		return true
	})
	require.Equal(t, s.Len(), entries)
}

func sortedEntries(list []Entry) []Entry {
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Lat, b.Lat), cmp.Compare(a.Lng, b.Lng), cmp.Compare(a.Class, b.Class))
	})
	return list
}

// requireFinds compares queries with a look at every entry.
func requireFinds(t *testing.T, seed uint64, r *rand.Rand, s *Snapshot, all map[Entry]int) {
	t.Helper()
	for range 6 {
		area := Circle(At(50.8+2.6*r.Float64(), 3.5+3.6*r.Float64()), math.Pow(10, 2+4*r.Float64()))
		if r.IntN(2) == 0 {
			area = Polygon(star(r, area.center, 3+r.IntN(40), 1e4, 3e6))
		}
		shape, err := area.Prepare(Limits{Radius: 2e6})
		require.NoError(t, err)
		var want []Entry
		for e, n := range all {
			if shape.Contains(e.Point) {
				want = append(want, slices.Repeat([]Entry{e}, n)...)
			}
		}
		got := slices.Collect(s.Within(shape))
		require.Equal(t, sortedEntries(want), sortedEntries(got), "seed %d: %+v", seed, area)
	}
}

// TestIndexModel changes an index and a map alike, and compares.
func TestIndexModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var ix Index
	all := map[Entry]int{}
	start := clustered(r, 20_000)
	for _, e := range start {
		all[e]++
	}
	ix.Load(slices.Clone(start))
	live := start
	for round := range rounds(60) {
		before := ix.Snapshot()
		n := before.Len()
		ix.Update(func(e *Edit) {
			for range 1 + r.IntN(300) {
				if i := r.IntN(len(live) + 1); i < len(live) && r.IntN(5) > 1+round/20 {
					require.True(t, e.Remove(live[i]), "seed %d", seed)
					if all[live[i]]--; all[live[i]] == 0 {
						delete(all, live[i])
					}
					live[i] = live[len(live)-1]
					live = live[:len(live)-1]
					continue
				}
				entry := Entry{At(50.8+2.6*r.Float64(), 3.5+3.6*r.Float64()), r.Uint32(), r.Uint32N(9)}
				if r.IntN(4) == 0 && len(live) > 0 {
					entry.Point = live[r.IntN(len(live))].Point // many live at one door
				}
				e.Add(entry)
				all[entry]++
				live = append(live, entry)
			}
			require.False(t, e.Remove(Entry{Point{1, 1}, 1, 1}))
		})
		require.Equal(t, n, len(slices.Collect(before.All())), "an earlier snapshot does not change")
		requireSane(t, ix.Snapshot())
		require.Equal(t, len(live), ix.Snapshot().Len())
		requireFinds(t, seed, r, ix.Snapshot(), all)
	}
}

func TestIndexEmptiesAndFills(t *testing.T) {
	t.Parallel()
	var ix Index
	require.Zero(t, ix.Snapshot().Len())
	shape, err := Circle(At(52, 5), 1000).Prepare(Limits{})
	require.NoError(t, err)
	require.Empty(t, slices.Collect(ix.Snapshot().Within(shape)))
	same := make([]Entry, 10_000)
	for i := range same {
		same[i] = Entry{At(52, 5), uint32(i), 0}
	}
	ix.Load(slices.Clone(same))
	requireSane(t, ix.Snapshot())
	for i := 0; i < len(same); i += 500 {
		ix.Update(func(e *Edit) {
			for _, entry := range same[i : i+500] {
				require.True(t, e.Remove(entry))
			}
		})
		requireSane(t, ix.Snapshot())
	}
	require.Zero(t, ix.Snapshot().Len())
	for i := 0; i < len(same); i += 500 {
		ix.Update(func(e *Edit) {
			for _, entry := range same[i : i+500] {
				e.Add(entry)
			}
		})
		requireSane(t, ix.Snapshot())
	}
	require.Len(t, slices.Collect(ix.Snapshot().Within(shape)), len(same))
	ix.Load(nil)
	require.Zero(t, ix.Snapshot().Len())
}

// TestReadersSeeWholeChanges moves keys between two towns while readers look:
// each snapshot has every key in exactly one of them.
func TestReadersSeeWholeChanges(t *testing.T) {
	t.Parallel()
	const keys = 500
	var ix Index
	here, there := At(52.37, 4.9), At(51.92, 4.48)
	at := make([]Entry, keys)
	for i := range at {
		at[i] = Entry{Point{here.Lat + int32(i), here.Lng}, uint32(i), 0}
	}
	ix.Load(slices.Clone(at))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			shape, _ := Circle(here, 300_000).Prepare(Limits{})
			for {
				var seen [keys]int
				for e := range ix.Snapshot().Within(shape) {
					seen[e.Key]++
				}
				for _, n := range seen {
					if n != 1 {
						t.Errorf("a key is in %d places", n)
						return
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(9, 9))
	for range rounds(400) {
		ix.Update(func(e *Edit) {
			for range 1 + r.IntN(20) {
				i := r.IntN(keys)
				if !e.Remove(at[i]) {
					t.Error("lost")
				}
				to := []Point{here, there}[r.IntN(2)]
				at[i].Point = Point{to.Lat + int32(i), to.Lng + r.Int32N(100_000)}
				e.Add(at[i])
			}
		})
	}
	close(stop)
	readers.Wait()
}

func TestRunsAllocateNothing(t *testing.T) {
	var ix Index
	ix.Load(clustered(rand.New(rand.NewPCG(1, 1)), 100_000))
	s := ix.Snapshot()
	var scratch Scratch
	for _, area := range []Area{Circle(At(52, 5), 50_000), Polygon(star(rand.New(rand.NewPCG(2, 2)), At(52, 5), 30, 1e6, 5e6))} {
		shape, err := area.Prepare(Limits{})
		require.NoError(t, err)
		n := 0
		allocs := testing.AllocsPerRun(20, func() {
			for r := range s.Runs(shape, &scratch) {
				n += r.Len()
			}
		})
		require.LessOrEqual(t, allocs, 4.0)
		require.Positive(t, n)
	}
}

func TestHilbertKeepsNeighboursTogether(t *testing.T) {
	t.Parallel()
	seen := make([]bool, 1<<16)
	for x := range uint32(256) {
		for y := range uint32(256) {
			d := hilbert(x, y)
			require.Less(t, d, uint32(len(seen)))
			require.False(t, seen[d])
			seen[d] = true
		}
	}
	at := make(map[uint32][2]int)
	for x := range 64 {
		for y := range 64 {
			at[hilbert(uint32(x), uint32(y))] = [2]int{x, y}
		}
	}
	for d := uint32(1); d < 64*64; d++ {
		a, b := at[d-1], at[d]
		require.Equal(t, int64(1), abs(int64(a[0]-b[0]))+abs(int64(a[1]-b[1])), "step %d", d)
	}
}

func BenchmarkLoad(b *testing.B) {
	entries := clustered(rand.New(rand.NewPCG(1, 1)), 2_600_000)
	for b.Loop() {
		b.StopTimer()
		var ix Index
		mine := slices.Clone(entries)
		b.StartTimer()
		ix.Load(mine)
		b.ReportMetric(float64(ix.Snapshot().Bytes())/float64(len(entries)), "B/place")
	}
}

func BenchmarkUpdate(b *testing.B) {
	entries := clustered(rand.New(rand.NewPCG(1, 1)), 2_600_000)
	for _, batch := range []int{1, 100} {
		b.Run(map[int]string{1: "one", 100: "hundred"}[batch], func(b *testing.B) {
			var ix Index
			ix.Load(slices.Clone(entries))
			r := rand.New(rand.NewPCG(2, 2))
			at := slices.Clone(entries)
			b.ReportAllocs()
			for b.Loop() {
				ix.Update(func(e *Edit) {
					for range batch {
						i := r.IntN(len(at))
						e.Remove(at[i])
						at[i].Lat += r.Int32N(2000) - 1000
						e.Add(at[i])
					}
				})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch), "ns/move")
		})
	}
}

func BenchmarkRuns(b *testing.B) {
	entries := clustered(rand.New(rand.NewPCG(1, 1)), 2_600_000)
	var ix Index
	ix.Load(slices.Clone(entries))
	s := ix.Snapshot()
	r := rand.New(rand.NewPCG(3, 3))
	var centers []Point
	for range 200 {
		centers = append(centers, entries[r.IntN(len(entries))].Point)
	}
	for _, name := range []string{"0500m", "2500m", "10km"} {
		meters := map[string]float64{"0500m": 500, "2500m": 2500, "10km": 10000}[name]
		b.Run(name, func(b *testing.B) {
			var scratch Scratch
			i, hits := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				shape := newCircle(centers[i%200], meters)
				i++
				for run := range s.Runs(shape, &scratch) {
					hits += run.Len()
				}
			}
			b.ReportMetric(float64(hits)/float64(b.N), "hits/query")
		})
	}
}
