package fanout

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crierd/crier/store"
)

// lane drives one channel: it decides which batch goes next and when, and its
// workers hand batches over (worker.go). Order, limits and retries live here and
// nowhere else, because only here the whole of a channel is seen.
//
// A worker that looks for work holds the gate, so that one at a time waits for
// the limiter. It does not reserve a batch while it waits: whatever becomes
// urgent, paused or stopped meanwhile is seen before anything is taken.
type lane struct {
	name   string
	config Channel
	engine *Engine
	limit  *limit

	unanswered atomic.Int64 // batches

	gate chan struct{} // holds one token: the right to look for work
	wake chan struct{} // holds one at most: something has changed

	mu        sync.Mutex // guards the rest; before run.mu
	tracks    []*track   // with batches left, by priority and then time of the message
	retries   []*retry   // by due time
	throttled time.Time  // the provider asked for silence until then
}

// job is a batch on its way to the sink.
type job struct {
	*track
	number int
	before *entry // what the ledger says of it; nil: never recorded
	fresh  bool   // needs a claim
	units  int    // recipients to hand over; 0: only to be recorded as expired
}

// key names the batch.
func (j *job) key() store.BatchKey {
	return store.BatchKey{SegmentKey: j.SegmentKey, Batch: uint32(j.number)}
}

// retry is a batch some of whose recipients are to be tried again.
type retry struct {
	*track
	number int
	before *entry
	due    time.Time
}

func newLane(e *Engine, name string, c Channel) *lane {
	l := &lane{name: name, config: c, engine: e, limit: newLimit(c, e.cfg.Now()),
		gate: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	l.gate <- struct{}{}
	return l
}

// add puts segments in line.
func (l *lane) add(tracks ...*track) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tracks = append(l.tracks, tracks...)
	slices.SortStableFunc(l.tracks, func(a, b *track) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), a.message.Created.Compare(b.message.Created))
	})
	l.signal()
}

// signal makes the worker at the gate look again.
func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// throttle silences the lane until t.
func (l *lane) throttle(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.After(l.throttled) {
		l.throttled = t
	}
}

// later puts a batch in the retry queue.
func (l *lane) later(r *retry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, _ := slices.BinarySearchFunc(l.retries, r, func(a, b *retry) int { return a.due.Compare(b.due) })
	l.retries = slices.Insert(l.retries, at, r)
	l.signal()
}

// take waits for the next batch that may leave, and takes it. It returns an
// error only when ctx ends.
func (l *lane) take(ctx context.Context) (*job, error) {
	select {
	case <-l.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { l.gate <- struct{}{} }()
	for {
		j, wait := l.try()
		if j != nil {
			return j, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-l.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// takeNow takes a batch only if one may leave this instant.
func (l *lane) takeNow() *job {
	select {
	case <-l.gate:
		defer func() { l.gate <- struct{}{} }()
		j, _ := l.try()
		return j
	default:
		return nil
	}
}

// idle is how long a lane without work sleeps; a signal wakes it sooner.
const idle = time.Minute

// try takes the first batch that may leave now, or says when to look again.
func (l *lane) try() (*job, time.Duration) {
	now := l.engine.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tracks = slices.DeleteFunc(l.tracks, (*track).exhausted)
	l.retries = slices.DeleteFunc(l.retries, func(r *retry) bool { return r.isStopped() })
	wait := idle
	for _, c := range l.candidates(now, &wait) {
		j := c.peek(now, l.limit.burst)
		if j == nil {
			continue
		}
		if j.units > 0 {
			silence := l.throttled.Sub(now)
			pause := max(silence, l.limit.wait(now, j.units))
			if pause > 0 {
				return nil, min(wait, pause)
			}
		}
		if !c.commit(j) {
			continue
		}
		l.limit.take(now, j.units)
		if c.retry != nil {
			l.retries = slices.DeleteFunc(l.retries, func(r *retry) bool { return r == c.retry })
		}
		return j, 0
	}
	return nil, wait
}

// candidate is a retry that is due, or the next batch of a track.
type candidate struct {
	track *track
	retry *retry
}

// candidates lists what might leave now, first things first, and shortens wait
// to the next moment at which there may be more. A due retry goes before the
// other batches of its priority: it was first in line once.
func (l *lane) candidates(now time.Time, wait *time.Duration) []candidate {
	var list []candidate
	consider := func(t *track, r *retry, from time.Time) {
		if t.expired(now) || !from.After(now) {
			list = append(list, candidate{t, r})
		} else {
			*wait = min(*wait, from.Sub(now))
		}
		if left := t.message.Expires.Sub(now); left > 0 {
			*wait = min(*wait, left)
		}
	}
	for _, r := range l.retries {
		consider(r.track, r, r.due)
	}
	for _, t := range l.tracks {
		consider(t, nil, t.Release)
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.track.priority, b.track.priority) })
	return list
}

// peek describes the batch that would leave, or nil if none may.
func (c candidate) peek(now time.Time, burst int) *job {
	t := c.track
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	expired := t.expired(now)
	if t.stopped || t.run.held || t.run.record.Status == Paused && !expired {
		return nil
	}
	j := &job{track: t}
	switch {
	case c.retry != nil:
		j.number, j.before = c.retry.number, c.retry.before
		for _, r := range j.before.Results {
			if !r.Outcome.final() {
				j.units++
			}
		}
	case len(t.again) > 0:
		j.number, j.units = t.again[0], t.batchSize(t.again[0])
	case t.next < t.batches():
		j.number, j.fresh, j.units = t.next, true, t.batchSize(t.next)
	default:
		return nil
	}
	j.units = min(j.units, burst)
	if expired {
		j.units = 0
	}
	return j
}

// commit takes the batch, unless it was stopped or paused since.
func (c candidate) commit(j *job) bool {
	t := c.track
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	if t.stopped || t.run.held || t.run.record.Status == Paused && j.units > 0 {
		return false
	}
	switch {
	case c.retry != nil:
		t.retries--
	case j.fresh:
		t.next++
	default:
		t.again = t.again[1:]
	}
	t.out++
	return true
}

// exhausted says whether a track has nothing left to take in order.
func (t *track) exhausted() bool {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	return t.stopped || t.next == t.batches() && len(t.again) == 0
}

// waiting counts what waits at a priority or before it, and says since when the
// oldest of it might have left.
func (l *lane) waiting(priority int) (recipients int, oldest time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tracks {
		t.run.mu.Lock()
		n := t.waiting()
		t.run.mu.Unlock()
		if n == 0 || t.priority > priority {
			continue
		}
		recipients += n
		if oldest.IsZero() || t.Release.Before(oldest) {
			oldest = t.Release
		}
	}
	return recipients, oldest
}

// eta is when the last of n more units at a priority would be handed over.
func (l *lane) eta(n, priority int) time.Duration {
	before, _ := l.waiting(priority)
	return l.limit.eta(n + before)
}

// isStopped says whether the track's message was stopped.
func (t *track) isStopped() bool {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	return t.stopped
}
