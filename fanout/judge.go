package fanout

import (
	"slices"
	"time"

	"github.com/crierd/crier/store"
)

// reason says why a participant with a place in the area gets nothing; of
// several the lowest is told (design section 6).
type reason uint8

const (
	overLimit reason = iota
	windowClosed
	noChannel
	switchedOff
	kindUnwanted
	reasons // how many there are
)

// verdict is what a class comes to in one query: the channels to use, as a set
// of the action's channels, or a reason why not.
type verdict uint32

const refused verdict = 1 << 31

func (v verdict) reason() reason { return reason(v & 0xff) }

// judge decides about classes for one action at one instant. Windows and orders of
// channels are few, and are judged once a query; the verdict of a class is then put
// together from those without a branch. (Judging each class when it is first met
// was three times slower: there are tens of thousands, so that "first met?" is a
// coin toss for the processor.) A judge's memory is reused; reset it before use. It
// is for one goroutine.
type judge struct {
	table  *classTable
	kind   uint8
	at     time.Time
	binds  bool
	all    bool
	slot   [256]int8 // the action's channel by the table's, -1: not used
	routes []verdict // by route, first for those who do not want the kind, then for those who do
	shut   []verdict // by window: all bits if it is shut, none if it is open
}

func (j *judge) reset(table *classTable, kind Kind, at time.Time, rule Rule, channels []string) {
	j.table, j.kind, j.at = table, kind.bit(), at
	j.binds, j.all = rule.Windows, rule.Reach == ReachAll
	for i, name := range table.channels {
		j.slot[i] = int8(slices.Index(channels, name))
	}
	j.routes = zeroed(j.routes, 2*len(table.routes))
	for i, r := range table.routes {
		use := j.use(r)
		j.routes[2*i], j.routes[2*i+1] = refused|verdict(kindUnwanted), use
		if use&refused != 0 {
			j.routes[2*i] = use // a missing channel is the reason before the kind
		}
	}
	j.shut = zeroed(j.shut, len(table.windows))
	if !j.binds {
		return
	}
	var zone *time.Location
	var local store.Minute
	for i := range table.windows {
		w := &table.windows[i]
		if w.zone != zone {
			zone, local = w.zone, store.MinuteOf(at.In(w.zone))
		}
		if !w.schedule.OpenAt(local) {
			j.shut[i] = ^verdict(0)
		}
	}
}

// use is which of the action's channels a message takes.
func (j *judge) use(r route) verdict {
	var use verdict
	for _, channel := range []byte(r) {
		if slot := j.slot[channel]; slot >= 0 {
			use |= 1 << slot
			if !j.all {
				break
			}
		}
	}
	if use == 0 {
		return refused | verdict(noChannel)
	}
	return use
}

// of is the verdict of a class.
func (j *judge) of(id uint32) verdict {
	c := &j.table.classes[id]
	wants := 0
	if c.kinds&j.kind != 0 {
		wants = 1
	}
	v, shut := j.routes[2*int(c.route)+wants], j.shut[c.window]
	return v&^shut | (refused|verdict(windowClosed))&shut
}

// holds is the instant until which no window that was found open closes; the
// zero time if none ever does. Until then nobody's window need be judged again.
func (j *judge) holds() time.Time {
	var first time.Time
	for id, shut := range j.shut {
		if shut != 0 {
			continue
		}
		w := &j.table.windows[id]
		until := w.schedule.Until(j.at.In(w.zone))
		if !until.IsZero() && (first.IsZero() || until.Before(first)) {
			first = until
		}
	}
	return first
}

// zeroed gives a slice of n zero values, s's memory if that is enough.
func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}
