package fanout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/crierd/crier/internal/fault"
	"github.com/crierd/crier/store"
)

// Conclusion is how an action ends.
type Conclusion struct {
	Result string // "found", "not_found" or "ended". default: "ended"
	Title  Text
	Text   Text // to everyone reached; required
	Origin Origin
}

// Cancellation calls an action off.
type Cancellation struct {
	Reason string // for the record
	Title  Text
	Text   Text // to everyone reached; required as soon as anybody was
	Origin Origin
}

// closingLife is how long a closing or correction is tried (design section 5).
const closingLife = 24 * time.Hour

// Conclude ends a running or paused action: what has not left is withdrawn, and
// everyone who was reached, or may have been, gets the closing, each once over
// the channel that reached them. It returns when the closing is planned, which
// waits for batches under way, but no longer than Config.Drain. Once the end is
// asked for, a crash does not lose it.
func (e *Engine) Conclude(ctx context.Context, id string, c Conclusion) (State, error) {
	if err := c.Text.validate("text", e.cfg.Language, true); err != nil {
		return State{}, err
	}
	if c.Result == "" {
		c.Result = "ended"
	}
	if !slices.Contains([]string{"found", "not_found", "ended"}, c.Result) {
		return State{}, &FieldError{Path: "result", Message: "is not found, not_found or ended"}
	}
	return e.end(ctx, id, Closing, last{Phase: Ending, Result: c.Result, Title: c.Title, Text: c.Text}, c.Origin)
}

// Cancel calls a running or paused action off within one batch. Who was reached
// gets the text as a correction; without a text the action is cancelled only if
// nobody was reached, else it goes on and [ErrTextRequired] is returned. The
// state says how many had been reached.
func (e *Engine) Cancel(ctx context.Context, id string, c Cancellation) (State, error) {
	if err := c.Text.validate("text", e.cfg.Language, false); err != nil {
		return State{}, err
	}
	return e.end(ctx, id, Cancelled, last{Phase: Correction, Reason: c.Reason, Title: c.Title, Text: c.Text}, c.Origin)
}

// end commits the wish to end, then plans the last message.
func (e *Engine) end(ctx context.Context, id string, to Status, l last, o Origin) (State, error) {
	if err := l.Title.validate("title", e.cfg.Language, false); err != nil {
		return State{}, err
	}
	if earlier, err := e.earlier(o); err != nil || earlier != "" {
		return e.replayed(earlier, err)
	}
	r, err := e.changing(id, string(l.Phase), Running, Paused)
	if err != nil {
		return State{}, err
	}
	if err := e.commitEnd(ctx, r, to, l, o); err != nil {
		r.change.Unlock()
		return State{}, err
	}
	fault.Point("after end is asked")
	finished := make(chan error, 1)
	err = e.spawn(func() {
		defer r.change.Unlock()
		finished <- e.planLast(r)
	})
	if err != nil { // the wish is on disk: the next Open carries it out
		r.change.Unlock()
		return State{}, err
	}
	select {
	case err := <-finished:
		if err != nil {
			return State{}, err
		}
	case <-ctx.Done():
	}
	return e.Action(id)
}

// commitEnd stops the action's messages and keeps what its last one will say.
func (e *Engine) commitEnd(ctx context.Context, r *run, to Status, l last, o Origin) error {
	r.hold(true) // from here on nobody more is reached: the check below holds
	if len(l.Text) == 0 && r.reachedSoFar() > 0 {
		r.hold(false)
		e.signal()
		return ErrTextRequired
	}
	next, now := r.state(), e.cfg.Now()
	next.Status, next.Last = to, &l
	for i := range next.Messages {
		if next.Messages[i].Stopped.IsZero() {
			next.Messages[i].Stopped = now
		}
	}
	return e.turned(ctx, r, next, string(l.Phase), o)
}

// planLast waits for the batches under way and plans the closing or correction
// for everyone reached. The caller holds run.change.
func (e *Engine) planLast(r *run) error {
	e.drain(r)
	reached, err := e.reached(r)
	if err != nil {
		e.fail(fmt.Errorf("plan the closing: %w", err))
		return err
	}
	next, now := r.state(), e.cfg.Now()
	l := *next.Last
	l.Planned = true
	next.Last = &l
	m := messageRecord{
		Number: uint16(len(next.Messages) + 1), Phase: l.Phase, Title: l.Title, Text: l.Text,
		Created: now, Expires: now.Add(closingLife),
	}
	var segments []*segment
	if len(l.Text) > 0 {
		next.Messages = append(next.Messages, m)
		for _, channel := range sortedKeys(reached) {
			key := store.SegmentKey{Action: next.ID, Message: m.Number, Channel: channel}
			h := header{Batch: e.batch(channel), Reason: string(l.Phase), Release: now}
			segments = append(segments, newSegment(key, h, reached[channel].ToArray()))
		}
	}
	if err := e.commit(context.Background(), next, segments, "plan "+string(l.Phase), Origin{Caller: next.Caller}); err != nil {
		e.fail(fmt.Errorf("plan the closing: %w", err))
		return err
	}
	fault.Point("after closing commit")
	var tracks []*track
	for _, s := range segments {
		tracks = append(tracks, &track{segment: s, run: r, message: m, priority: priorityClosing})
	}
	r.mu.Lock()
	r.record = next
	r.tracks = append(slices.Clone(r.tracks), tracks...)
	done := r.done()
	r.notify()
	r.mu.Unlock()
	e.enqueue(tracks)
	if done {
		return e.retire(r)
	}
	return nil
}

// drain waits until no worker has a batch of a stopped message, for at most
// Config.Drain. What is still out then is unknown, and counts as reached.
func (e *Engine) drain(r *run) {
	patience := time.NewTimer(e.cfg.Drain)
	defer patience.Stop()
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if r.drained() {
			return
		}
		select {
		case <-changed:
		case <-patience.C:
			return
		case <-e.sending.Done():
			return
		}
	}
}

// reached reads from the ledger who heard of an action, or may have: everyone
// accepted, and everyone claimed whose answer is not known. Each stands on the
// channel of the last message that reached them, or on all, if the kind's reach
// is all.
func (e *Engine) reached(r *run) (map[string]*roaring.Bitmap, error) {
	r.mu.Lock()
	tracks, action := r.tracks, r.record.Action
	r.mu.Unlock()
	found, err := e.entries(r.record.ID)
	if err != nil {
		return nil, err
	}
	all := e.cfg.Policy[action.Kind].Reach == ReachAll
	byChannel := map[string]*roaring.Bitmap{}
	for _, t := range tracks {
		set := t.reached(found)
		if set.IsEmpty() {
			continue
		}
		for channel, earlier := range byChannel {
			if channel != t.Channel && !all {
				earlier.AndNot(set)
			}
		}
		if byChannel[t.Channel] == nil {
			byChannel[t.Channel] = roaring.New()
		}
		byChannel[t.Channel].Or(set)
	}
	for channel, set := range byChannel {
		if set.IsEmpty() {
			delete(byChannel, channel)
		}
	}
	return byChannel, nil
}

// reached is who of a segment heard, or may have. Batches below the claim that
// the ledger does not know are unknown.
func (t *track) reached(found map[store.BatchKey]*entry) *roaring.Bitmap {
	t.run.mu.Lock()
	claimed := t.next
	t.run.mu.Unlock()
	set := roaring.New()
	var ordinals []uint32
	for k := range claimed {
		ordinals = t.batch(k, ordinals)
		entry, ok := found[store.BatchKey{SegmentKey: t.SegmentKey, Batch: uint32(k)}]
		if !ok {
			set.AddMany(ordinals)
			continue
		}
		for rank, r := range entry.Results {
			if r.reached() {
				set.Add(ordinals[rank])
			}
		}
	}
	return set
}

// finish retires an action that was ended and whose last message is through.
func (e *Engine) finish(r *run) {
	r.change.Lock()
	defer r.change.Unlock()
	if err := e.retire(r); err != nil {
		e.fail(fmt.Errorf("close action: %w", err))
	}
}

// retire marks an ended action as ended, if it is. The caller holds run.change.
func (e *Engine) retire(r *run) error {
	r.mu.Lock()
	over := r.record.Last != nil && r.record.Last.Planned && r.record.live() && r.done()
	r.mu.Unlock()
	if !over {
		return nil
	}
	next := r.state()
	next.Ended = e.cfg.Now()
	if next.Status == Closing {
		next.Status = Closed
	}
	if err := e.turned(context.Background(), r, next, "end", Origin{Caller: next.Caller}); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.runs, next.ID)
	return nil
}
