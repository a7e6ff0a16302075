package fanout

import (
	"slices"
	"time"
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
// of the action's channels, or a reason why not. The zero verdict is "not
// judged yet".
type verdict uint32

const refused verdict = 1 << 31

func (v verdict) reason() reason { return reason(v & 0xff) }

// judge decides about classes for one action at one instant. Its memory is
// reused; reset it before use. It is for one goroutine.
type judge struct {
	table   *classTable
	kind    uint8
	at      time.Time
	binds   bool
	all     bool
	slot    [256]int8 // the action's channel by the table's, -1: not used
	verdict []verdict // by class
	open    []uint8   // by window: 0 not judged, 1 closed, 2 open
}

func (j *judge) reset(table *classTable, kind Kind, at time.Time, rule Rule, channels []string) {
	j.table, j.kind, j.at = table, kind.bit(), at
	j.binds, j.all = rule.Windows, rule.Reach == ReachAll
	for i, name := range table.channels {
		j.slot[i] = int8(slices.Index(channels, name))
	}
	j.verdict = zeroed(j.verdict, len(table.classes))
	j.open = zeroed(j.open, len(table.windows))
}

// of is the verdict of a class, judged at most once.
func (j *judge) of(id uint32) verdict {
	if v := j.verdict[id]; v != 0 {
		return v
	}
	v := j.decide(&j.table.classes[id])
	j.verdict[id] = v
	return v
}

func (j *judge) decide(c *class) verdict {
	if j.binds && !j.isOpen(c.window) {
		return refused | verdict(windowClosed)
	}
	var use verdict
	for _, channel := range c.channels[:c.n] {
		if slot := j.slot[channel]; slot >= 0 {
			use |= 1 << slot
			if !j.all {
				break
			}
		}
	}
	switch {
	case use == 0:
		return refused | verdict(noChannel)
	case c.kinds&j.kind == 0:
		return refused | verdict(kindUnwanted)
	}
	return use
}

func (j *judge) isOpen(id uint32) bool {
	if j.open[id] == 0 {
		w := &j.table.windows[id]
		j.open[id] = 1
		if w.schedule.Open(j.at.In(w.zone)) {
			j.open[id] = 2
		}
	}
	return j.open[id] == 2
}

// holds is the instant until which no window that was found open closes; the
// zero time if none ever does. Until then nobody's window need be judged again.
func (j *judge) holds() time.Time {
	var first time.Time
	for id, state := range j.open {
		if state != 2 {
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
