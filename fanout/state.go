package fanout

import (
	"cmp"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/crierd/crier/store"
)

// State is an action as it stands at one moment: a copy, the caller's to keep.
type State struct {
	ID       string
	Status   Status
	Action   Action
	Digest   Digest
	Created  time.Time
	Ended    time.Time // zero: lanes may still have work
	Skipped  Skipped   // at planning
	Result   string    // of a conclusion
	Reason   string    // of a cancellation
	InFlight int       // recipients of whom a crash now could repeat the message, at most
	Messages []MessageState
}

// MessageState is one message of an action.
type MessageState struct {
	Number   int
	Phase    Phase
	Title    Text
	Text     Text
	Created  time.Time
	Expires  time.Time
	Stopped  time.Time // zero: not stopped
	Channels map[string]Counts
}

// Counts are the recipients of a message on a channel by outcome. Planned is
// the sum of the others.
type Counts struct {
	Planned   int
	Accepted  int
	Rejected  int
	Failed    int
	Expired   int
	Withdrawn int
	Unknown   int // claimed, and the message was stopped before an answer came
	Pending   int
	Waves     []Wave
	ETA       time.Duration // until the last is handed over
	Waiting   string        // why nothing goes: "no sink", "paused"; or ""
}

// Wave is the progress of one distance band on a channel.
type Wave struct {
	Number  int // of the band, nearest first, from 0
	Planned int
	Left    int // taken by a worker or done
}

// Action is the state of an action, from memory while it is live, else from the
// ledger. [ErrNotFound] if there is none of that ID.
func (e *Engine) Action(id string) (State, error) {
	if r, ok := e.live(id); ok {
		return e.describe(r), nil
	}
	value, err := e.store.Action(id)
	if errors.Is(err, store.ErrNotFound) {
		return State{}, ErrNotFound
	}
	if err != nil {
		return State{}, err
	}
	rec, err := decodeRecord(value)
	if err != nil {
		return State{}, err
	}
	found, err := e.entries(id)
	if err != nil {
		return State{}, err
	}
	r, _, err := e.rebuild(*rec, found)
	if err != nil {
		return State{}, err
	}
	return e.describe(r), nil
}

// Actions lists the actions whose ID is above one, "" for all, the oldest first,
// as they stand when each is reached. An error is the last pair.
func (e *Engine) Actions(above string) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		for value, err := range e.store.Actions(above) {
			var s State
			if err == nil {
				var rec *record
				if rec, err = decodeRecord(value); err == nil {
					s, err = e.Action(rec.ID)
				}
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

func (e *Engine) describe(r *run) State {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := &r.record
	s := State{
		ID: rec.ID, Status: rec.Status, Action: rec.Action, Digest: rec.Digest,
		Created: rec.Created, Ended: rec.Ended, Skipped: rec.Skipped,
	}
	if rec.Last != nil {
		s.Result, s.Reason = rec.Last.Result, rec.Last.Reason
	}
	for _, m := range rec.Messages {
		s.Messages = append(s.Messages, MessageState{
			Number: int(m.Number), Phase: m.Phase, Title: m.Title, Text: m.Text,
			Created: m.Created, Expires: m.Expires, Stopped: m.Stopped, Channels: map[string]Counts{},
		})
	}
	for _, t := range r.tracks {
		m := &s.Messages[t.message.Number-1]
		m.Channels[t.Channel] = e.counts(m.Channels[t.Channel], t)
		if !t.done() {
			s.InFlight = max(s.InFlight, e.inFlight(rec))
		}
	}
	return s
}

// inFlight bounds what is claimed and unrecorded: a batch a worker on each of
// the action's channels.
func (e *Engine) inFlight(rec *record) int {
	n := 0
	for _, channel := range rec.Action.Channels {
		if l, ok := e.lanes[channel]; ok {
			n += l.config.Workers * l.config.batch()
		}
	}
	return n
}

// counts adds a segment to a channel's counts. The caller holds run.mu.
func (e *Engine) counts(c Counts, t *track) Counts {
	known := 0
	for _, n := range t.tally {
		known += n
	}
	c.Planned += t.size()
	c.Accepted += t.tally[Accepted]
	c.Rejected += t.tally[Rejected]
	c.Failed += t.tally[Failed]
	c.Expired += t.tally[Expired]
	c.Withdrawn += t.tally[Withdrawn]
	claimed := min(t.size(), t.next*t.Batch)
	out := claimed - known // claimed, nothing recorded
	if t.stopped {
		c.Unknown += t.tally[Unknown] + out
		c.Withdrawn += t.tally[Pending] + t.size() - claimed
	} else {
		c.Pending += t.size() - known + t.tally[Pending] + t.tally[Unknown]
	}
	c.Waves = append(c.Waves, Wave{Number: t.Wave, Planned: t.size(), Left: claimed})
	l, ok := e.lanes[t.Channel]
	switch {
	case t.done():
	case !ok:
		c.Waiting = "no sink"
	case t.run.record.Status == Paused:
		c.Waiting = "paused"
	}
	if ok {
		c.ETA += l.limit.eta(t.waiting())
	}
	return c
}

// sortedKeys lists a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
