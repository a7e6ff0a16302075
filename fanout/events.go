package fanout

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

// Event is something that happened to an action. Its numbers ascend within one
// engine and, being counted from the engine's start in microseconds, from one
// engine to the next.
type Event struct {
	Number uint64      `json:"number"`
	At     time.Time   `json:"at"`
	Action string      `json:"action"`
	Type   string      `json:"type"` // "status", "batch" or, when events were dropped before the reader came, "gap"
	Status Status      `json:"status,omitempty"`
	Batch  *BatchEvent `json:"batch,omitempty"`
}

// BatchEvent is the outcome of one batch.
type BatchEvent struct {
	ID      string         `json:"id"`
	Channel string         `json:"channel"`
	Message int            `json:"message"`
	Wave    int            `json:"wave"`
	Counts  map[string]int `json:"counts"` // recipients by outcome
}

func newBatchEvent(a *answered) *BatchEvent {
	b := &BatchEvent{Channel: a.Channel, Message: int(a.message.Number), Wave: a.Wave, Counts: map[string]int{}}
	b.ID = a.key().String()
	for _, r := range a.after.Results {
		b.Counts[r.Outcome.String()]++
	}
	return b
}

// kept is how many events a late reader can still get.
const kept = 4096

// broker keeps the last events and wakes readers. A slow reader loses events,
// and is told so; it never slows a lane.
type broker struct {
	mu     sync.Mutex // guards all below
	next   uint64
	ring   []Event // ascending numbers without a gap, the last at the end
	wake   chan struct{}
	closed bool
}

func newBroker(now time.Time) *broker {
	return &broker{next: uint64(now.UnixMicro()), wake: make(chan struct{})}
}

func (b *broker) publish(ev Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	ev.Number = b.next
	if len(b.ring) >= 2*kept {
		b.ring = slices.Clone(b.ring[kept:])
	}
	b.ring = append(b.ring, ev)
	close(b.wake)
	b.wake = make(chan struct{})
}

func (b *broker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	close(b.wake)
	b.wake = make(chan struct{})
}

// after lists the events after a number, and gives a channel that closes at the
// next one.
func (b *broker) after(number uint64) (list []Event, gap, closed bool, wake <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, _ := slices.BinarySearchFunc(b.ring, number+1, func(ev Event, n uint64) int {
		return int(int64(ev.Number) - int64(n))
	})
	first := b.next - uint64(len(b.ring)) // number before the ring's first
	return slices.Clone(b.ring[at:]), number < first, b.closed, b.wake
}

// Events yields what happens to an action, or to all if id is "", until ctx ends
// or the engine closes or fails. It starts after the event with number after, or with the
// next one if after is 0. A "gap" event comes first if some of those asked for
// are no longer kept: read the [State] then.
func (e *Engine) Events(ctx context.Context, id string, after uint64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if after == 0 {
			after = e.events.last()
		}
		for {
			list, gap, closed, wake := e.events.after(after)
			if gap && !yield(Event{Number: after, At: e.cfg.Now(), Action: id, Type: "gap"}) {
				return
			}
			for _, ev := range list {
				after = ev.Number
				if (id == "" || ev.Action == id) && !yield(ev) {
					return
				}
			}
			if gap && len(list) == 0 {
				after = e.events.last()
			}
			if closed {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-wake:
			}
		}
	}
}

// last is the number of the newest event.
func (b *broker) last() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}
