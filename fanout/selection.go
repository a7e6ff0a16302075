package fanout

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/crierd/crier/geoindex"
)

// selection gathers who an area query found, each participant once.
//
// The participants are a flat bitset by ordinal; what each gets stands in cells
// beside it (wave, and channels as a set), valid only where the bit is set, so
// that nothing the size of the population is cleared between queries. Reading
// the bitset in order yields every list of recipients sorted, which is what a
// bitmap wants: on 2.4 M participants this is some ten times quicker than
// sorting the hits of a query.
//
// A key with one place is decided where it is met. Only keys with several
// (geoindex.Several) are put aside and compared afterwards.
type selection struct {
	judge   judge
	scratch geoindex.Scratch
	bands   *geoindex.Bands
	center  geoindex.Point

	verdicts []verdict // of a run
	told     []uint16  // positions in a run
	refusals [8]int    // by reason

	set     []uint64
	cells   []cell
	several []hit
	order   []uint64 // of several, by key
	places  []hit    // of one participant
	near    []hit    // every eligible place; kept only for a limit
	skipped [reasons]int
	count   int // participants in set
}

// cell is what a participant gets: the wave in the upper 8 bits, the action's
// channels as a set in the lower 24.
type cell uint32

func newCell(wave int, v verdict) cell { return cell(wave)<<24 | cell(v) }

func (c cell) wave() int        { return int(c >> 24) }
func (c cell) channels() uint32 { return uint32(c) & (1<<24 - 1) }

type hit struct {
	key     uint32
	point   geoindex.Point
	verdict verdict
}

// reset makes room for participants with ordinals below n.
func (s *selection) reset(n int) {
	words := (n + 63) / 64
	if len(s.set) < words {
		s.set = make([]uint64, words+words/8)
		s.cells = make([]cell, len(s.set)*64)
	}
	s.several, s.near, s.skipped, s.count = s.several[:0], s.near[:0], [reasons]int{}, 0
	s.refusals = [8]int{}
}

// collect runs the query. The judge and bands must be set. Of each run, entries
// are first sorted, without branches, into those who are told and have one place,
// those with several places, and the rest, of whom only the reason counts.
func (s *selection) collect(snap *geoindex.Snapshot, shape geoindex.Shape, limited bool) {
	for run := range snap.Runs(shape, &s.scratch) {
		n := run.Len()
		if len(s.verdicts) < n {
			s.verdicts, s.told = make([]verdict, 2*n), make([]uint16, 2*n)
		}
		told := 0
		for i, key := range run.Key {
			v := s.judge.of(run.Class[i])
			s.verdicts[i] = v
			several, no := key>>31, uint32(v>>31)
			s.told[told] = uint16(i)
			told += int(1 &^ (several | no))
			s.refusals[v.reason()&7] += int(no &^ several)
			if several != 0 {
				s.several = append(s.several, hit{key &^ geoindex.Several, run.At(i), v})
			}
		}
		for _, i := range s.told[:told] {
			point, v := run.At(int(i)), s.verdicts[i]
			if limited {
				s.near = append(s.near, hit{run.Key[i], point, v})
			}
			s.put(run.Key[i], newCell(s.bands.Of(point), v))
		}
	}
	copy(s.skipped[:], s.refusals[:])
	s.resolve(limited)
}

// put adds a participant that is not in the set.
func (s *selection) put(ordinal uint32, c cell) {
	s.set[ordinal/64] |= 1 << (ordinal % 64)
	s.cells[ordinal] = c
	s.count++
}

func (s *selection) has(ordinal uint32) bool { return s.set[ordinal/64]&(1<<(ordinal%64)) != 0 }

func (s *selection) drop(ordinal uint32) {
	s.set[ordinal/64] &^= 1 << (ordinal % 64)
	s.count--
}

// resolve decides for participants with several places in the area: the nearest
// eligible one gives wave and channel (all of them the channels, where the reach
// is all); without an eligible one, the first reason of any is the reason.
func (s *selection) resolve(limited bool) {
	s.order = s.order[:0]
	for i, h := range s.several {
		s.order = append(s.order, uint64(h.key)<<32|uint64(i)) // words sort twice as fast as hits
	}
	slices.Sort(s.order)
	for order := s.order; len(order) > 0; {
		s.places = s.places[:0]
		for len(order) > len(s.places) && order[len(s.places)]>>32 == order[0]>>32 {
			s.places = append(s.places, s.several[uint32(order[len(s.places)])])
		}
		order = order[len(s.places):]
		s.settle(s.places, limited)
	}
}

func (s *selection) settle(places []hit, limited bool) {
	why := verdict(reasons)
	eligible := places[:0]
	for _, h := range places {
		if h.verdict&refused != 0 {
			why = min(why, h.verdict&^refused)
			continue
		}
		eligible = append(eligible, h)
	}
	if len(eligible) == 0 {
		s.skipped[why]++
		return
	}
	if limited {
		s.near = append(s.near, eligible...)
	}
	best, all := eligible[0], eligible[0].verdict
	for _, h := range eligible[1:] {
		all |= h.verdict
		if s.before(h, best) {
			best = h
		}
	}
	if s.judge.all {
		best.verdict = all
	}
	s.put(best.key, newCell(s.bands.Of(best.point), best.verdict))
}

// before says whether a is nearer than b; at the same distance the channel that
// the action names first goes first, so that the answer is always the same.
func (s *selection) before(a, b hit) bool {
	if a.point == b.point {
		return bits.TrailingZeros32(uint32(a.verdict)) < bits.TrailingZeros32(uint32(b.verdict))
	}
	if x, y := s.bands.Of(a.point), s.bands.Of(b.point); x != y {
		return x < y
	}
	return geoindex.Distance(s.center, a.point) < geoindex.Distance(s.center, b.point)
}

// merge leaves one of the participants who share a contact on a channel: the one
// in the nearest wave, the lowest ordinal there. The others are not told twice.
func (s *selection) merge(slot int, channel string, l *links) {
	if !l.any(channel) {
		return
	}
	var waves [maxRings + 1][]uint32
	for _, ordinal := range s.ordinals() {
		if c := s.cells[ordinal]; c.channels()&(1<<slot) != 0 {
			waves[c.wave()] = append(waves[c.wave()], ordinal)
		}
	}
	for _, ordinal := range l.duplicates(channel, slices.Concat(waves[:]...)) {
		s.cells[ordinal] &^= 1 << slot
		if s.cells[ordinal].channels() == 0 {
			s.drop(ordinal)
		}
	}
}

// limit keeps the n nearest participants, the lower ordinal at a tie. Whole
// waves are kept or dropped; only the wave across the limit is measured.
func (s *selection) limit(n int) {
	if s.count <= n {
		return
	}
	var waves [maxRings + 1]int
	for _, ordinal := range s.ordinals() {
		waves[s.cells[ordinal].wave()]++
	}
	cut, room := 0, n
	for room >= waves[cut] {
		room -= waves[cut]
		cut++
	}
	keep := s.nearest(cut, room)
	before := s.count
	for _, ordinal := range s.ordinals() {
		wave := s.cells[ordinal].wave()
		if wave > cut || wave == cut && !keep[ordinal] {
			s.drop(ordinal)
		}
	}
	s.skipped[overLimit] += before - s.count
}

// nearest picks the n participants of a wave that are nearest.
func (s *selection) nearest(wave, n int) map[uint32]bool {
	type far struct {
		ordinal uint32
		meters  float64
	}
	var fars []far
	for _, h := range s.near {
		if s.has(h.key) && s.cells[h.key].wave() == wave && s.bands.Of(h.point) == wave {
			fars = append(fars, far{h.key, geoindex.Distance(s.center, h.point)})
		}
	}
	slices.SortFunc(fars, func(a, b far) int {
		return cmp.Or(cmp.Compare(a.meters, b.meters), cmp.Compare(a.ordinal, b.ordinal))
	})
	keep := make(map[uint32]bool, n)
	for _, f := range fars {
		if len(keep) == n {
			break
		}
		keep[f.ordinal] = true
	}
	return keep
}

// ordinals lists the set in order.
func (s *selection) ordinals() []uint32 {
	list := make([]uint32, 0, s.count)
	for w, word := range s.set {
		for ; word != 0; word &= word - 1 {
			list = append(list, uint32(w*64+bits.TrailingZeros64(word)))
		}
	}
	return list
}

// part is the recipients of one wave on one channel, in order of ordinal.
type part struct {
	wave       int
	slot       int // of the action's channels
	recipients []uint32
}

// parts empties the set into lists, by channel and then wave, without empty ones.
func (s *selection) parts(channels int) []part {
	var sizes [maxChannels][maxRings + 1]int
	ordinals := s.ordinals()
	for _, ordinal := range ordinals {
		c := s.cells[ordinal]
		for set := c.channels(); set != 0; set &= set - 1 {
			sizes[bits.TrailingZeros32(set)][c.wave()]++
		}
	}
	var at [maxChannels][maxRings + 1]int
	var parts []part
	for slot := range channels {
		for wave, size := range sizes[slot] {
			if size > 0 {
				at[slot][wave] = len(parts)
				parts = append(parts, part{wave, slot, make([]uint32, 0, size)})
			}
		}
	}
	for _, ordinal := range ordinals {
		c := s.cells[ordinal]
		for set := c.channels(); set != 0; set &= set - 1 {
			p := &parts[at[bits.TrailingZeros32(set)][c.wave()]]
			p.recipients = append(p.recipients, ordinal)
		}
		s.set[ordinal/64] = 0
	}
	s.count = 0
	return parts
}
