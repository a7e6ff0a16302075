package bench

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/rtree"

	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// entries are the places of a population as an index has them: with a class for
// each combination of schedule, channels and kinds, and with keys as a store gives
// them out, in Hilbert order of the first place.
func entries(p Population) (list []geoindex.Entry, classes []class, windows []store.Schedule) {
	homes := make([][]geoindex.Entry, 0, p.People)
	numbers, window := map[string]uint32{}, map[string]uint32{}
	for who := range p.All() {
		var places []geoindex.Entry
		for _, place := range who.Places {
			text := place.Schedule.String()
			if _, ok := window[text]; !ok {
				window[text] = uint32(len(windows))
				windows = append(windows, place.Schedule)
			}
			name := fmt.Sprint(text, place.Channels, place.Kinds)
			if _, ok := numbers[name]; !ok {
				numbers[name] = uint32(len(numbers))
				wants := len(place.Kinds) == 0 || slices.Contains(place.Kinds, "wanted")
				classes = append(classes, class{window[text], wants})
			}
			places = append(places, geoindex.Entry{Point: geoindex.Point{Lat: place.Point.Lat, Lng: place.Point.Lng}, Class: numbers[name]})
		}
		homes = append(homes, places)
	}
	slices.SortStableFunc(homes, func(a, b []geoindex.Entry) int {
		return cmp.Compare(geoindex.Hilbert(a[0].Point), geoindex.Hilbert(b[0].Point))
	})
	for key, places := range homes {
		for _, e := range places {
			e.Key = uint32(key)
			if len(places) > 1 {
				e.Key |= geoindex.Several
			}
			list = append(list, e)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list, classes, windows
}

// class is what decides whether a place is told of a wanted person.
type class struct {
	window uint32
	wants  bool
}

// finder answers a query: who is in a shape and of a class that is told, each once,
// as a set of bits. It is for one goroutine.
type finder interface {
	find(shape geoindex.Shape) (people int)
}

// gathered is what all contestants share: windows judged once a query, and the set.
type gathered struct {
	set     []uint64
	used    []uint32 // words of set that are not zero
	classes []class
	windows []store.Schedule
	open    []uint8 // by window: 1 if it is
}

func newGathered(people int, classes []class, windows []store.Schedule) gathered {
	return gathered{set: make([]uint64, people/64+1), classes: classes, windows: windows, open: make([]uint8, len(windows))}
}

func (g *gathered) reset(at time.Time) {
	for _, w := range g.used {
		g.set[w] = 0
	}
	g.used = g.used[:0]
	minute := store.MinuteOf(at)
	for i, w := range g.windows {
		g.open[i] = 0
		if w.OpenAt(minute) {
			g.open[i] = 1
		}
	}
}

// told is 1 or 0.
func (g *gathered) told(number uint32) uint8 {
	c := &g.classes[number]
	wants := uint8(0)
	if c.wants {
		wants = 1
	}
	return g.open[c.window] & wants
}

// mark puts a key into the set, and says whether it was not there.
func (g *gathered) mark(key uint32) int {
	key &^= geoindex.Several
	w, bit := key/64, uint64(1)<<(key%64)
	switch before := g.set[w]; {
	case before&bit != 0:
		return 0
	case before == 0:
		g.used = append(g.used, w)
	}
	g.set[w] |= bit
	return 1
}

// ours is crier's index. Keys are gathered without branches and then marked: a
// verdict is as good as random, and a branch on it costs more than all the rest.
type ours struct {
	gathered
	snapshot *geoindex.Snapshot
	scratch  geoindex.Scratch
	keys     []uint32
}

func (o *ours) find(shape geoindex.Shape) int {
	o.reset(evening())
	n := 0
	for run := range o.snapshot.Runs(shape, &o.scratch) {
		for len(o.keys) < n+run.Len() {
			o.keys = append(o.keys, make([]uint32, 4096)...)
		}
		for i, key := range run.Key {
			o.keys[n] = key
			n += int(o.told(run.Class[i]))
		}
	}
	people := 0
	for _, key := range o.keys[:n] {
		people += o.mark(key)
	}
	return people
}

// plain is an R-tree with an entry for each place, which is what one would take.
type plain struct {
	gathered
	tree    rtree.RTreeGN[int32, uint32]
	entries []geoindex.Entry
}

func (p *plain) find(shape geoindex.Shape) int {
	p.reset(evening())
	n := 0
	for _, b := range shape.Bound() {
		p.tree.Search([2]int32{b.Min.Lng, b.Min.Lat}, [2]int32{b.Max.Lng, b.Max.Lat}, func(_, _ [2]int32, i uint32) bool {
			if e := &p.entries[i]; shape.Contains(e.Point) && p.told(e.Class) > 0 {
				n += p.mark(e.Key)
			}
			return true
		})
	}
	return n
}

// BenchmarkCircle asks each contestant the same 200 questions, in turns: who begins
// changes with every round. It reports the middle of each and their ratio.
// Preparing the circle is included.
func BenchmarkCircle(b *testing.B) {
	p := people()
	list, classes, windows := entries(p)
	var index geoindex.Index
	index.Load(slices.Clone(list))
	tree := &plain{gathered: newGathered(p.People, classes, windows), entries: list}
	for i, e := range list {
		at := [2]int32{e.Lng, e.Lat}
		tree.tree.Insert(at, at, uint32(i))
	}
	contestants := []finder{&ours{gathered: newGathered(p.People, classes, windows), snapshot: index.Snapshot()}, tree}
	centers := p.Centers(200)
	b.Logf("%d places, %d classes, %.1f bytes a place", len(list), len(classes), float64(index.Snapshot().Bytes())/float64(len(list)))
	for _, meters := range []float64{500, 1000, 2500, 5000, 10_000} {
		b.Run(fmt.Sprintf("%.0fm", meters), func(b *testing.B) {
			took := make([][]time.Duration, len(contestants))
			hits := 0
			for i := 0; b.Loop(); i++ {
				found := make([][]int, len(contestants))
				for turn := range contestants {
					c := (i + turn) % len(contestants)
					for _, center := range centers {
						begun := time.Now()
						shape, err := geoindex.Circle(center, meters).Prepare(geoindex.Limits{})
						require.NoError(b, err)
						n := contestants[c].find(shape)
						took[c] = append(took[c], time.Since(begun))
						found[c] = append(found[c], n)
						hits += n
					}
				}
				require.Equal(b, found[0], found[1], "the same answers")
			}
			middle := func(c int) float64 {
				slices.Sort(took[c])
				return float64(took[c][len(took[c])/2].Nanoseconds()) / 1000
			}
			b.ReportMetric(middle(0), "crier-p50-µs")
			b.ReportMetric(middle(1), "rtree-p50-µs")
			b.ReportMetric(middle(1)/middle(0), "ratio")
			b.ReportMetric(float64(hits)/float64(len(took[0])+len(took[1])), "people")
		})
	}
}
