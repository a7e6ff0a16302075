package fanout

import (
	"slices"
	"sync"
	"time"

	"github.com/crierd/crier/geoindex"
)

// run is a live action in memory. Lanes and the engine share it.
//
// Locks are taken in the order change, engine.mu, lane.mu, run.mu.
type run struct {
	shape  geoindex.Shape
	change sync.Mutex // held by whoever changes the status, over its commit

	mu      sync.Mutex    // guards all below, and the tracks
	record  record        // replaced whole, never edited in place
	held    bool          // nothing is taken: a change of status is being committed
	tracks  []*track      // of all messages, by message, channel and number
	changed chan struct{} // closed and made anew at every change
}

func newRun(shape geoindex.Shape, r record) *run {
	return &run{shape: shape, record: r, changed: make(chan struct{})}
}

// state is a copy of the record, to read or to change and commit.
func (r *run) state() record {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.record
	c.Messages = slices.Clone(c.Messages)
	return c
}

// hold keeps lanes from taking batches of the run, or lets them again.
func (r *run) hold(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = on
}

// drained says whether no worker has a batch of a stopped message.
func (r *run) drained() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.ContainsFunc(r.tracks, func(t *track) bool { return t.stopped && t.out > 0 })
}

// reachedSoFar counts recipients that heard, or may have.
func (r *run) reachedSoFar() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, t := range r.tracks {
		n += t.tally[Accepted] + t.tally[Unknown] + t.maybe
		n += (t.out + len(t.again)) * t.Batch
	}
	return n
}

// track is the progress of a segment. Its fields are guarded by run.mu.
type track struct {
	*segment
	run      *run
	message  messageRecord
	priority int

	next    int   // first batch that was never taken
	again   []int // batches claimed before a crash whose answers are unknown: first in line
	retries int   // batches waiting in a lane's retry queue
	out     int   // batches with a worker
	stopped bool
	tally   [outcomes]int // recipients by recorded outcome; Pending: none
	maybe   int           // recipients whose final outcome is not "accepted", but who may have heard
}

// notify tells waiters that something changed. Call it with run.mu held.
func (r *run) notify() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// done says whether every recipient of every message has its outcome.
func (r *run) done() bool {
	return !slices.ContainsFunc(r.tracks, func(t *track) bool { return !t.done() })
}

// done says whether nothing more happens on the segment.
func (t *track) done() bool {
	return t.out == 0 && (t.stopped || t.next == t.batches() && len(t.again) == 0 && t.retries == 0)
}

// taken is how many batches may have left: what a claim says.
func (t *track) taken() uint32 { return uint32(t.next) }

// waiting counts the recipients that no worker has taken yet.
func (t *track) waiting() int {
	if t.stopped {
		return 0
	}
	return max(0, t.size()-t.next*t.Batch) + len(t.again)*t.Batch
}

// expired says whether the message is past its deadline.
func (t *track) expired(now time.Time) bool { return !now.Before(t.message.Expires) }

// count takes an entry into the tally in place of the one before it, if any.
func (t *track) count(before, after *entry) {
	if before != nil {
		for _, r := range before.Results {
			t.tally[r.Outcome]--
			t.maybe -= r.maybe()
		}
	}
	for _, r := range after.Results {
		t.tally[r.Outcome]++
		t.maybe += r.maybe()
	}
}
