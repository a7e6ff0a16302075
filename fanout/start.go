package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/crierd/crier/internal/fault"
	"github.com/crierd/crier/store"
)

// Start plans an action afresh and begins to send it. When it returns, the plan
// is durable: every recipient gets at least one attempt or a recorded reason,
// whatever happens to the process. With a.Recipients, the digest of a plan, it
// refuses any other set of recipients with a [*RecipientsError].
//
// With a.Origin.Key, starting the same action twice starts it once: the second
// call returns the first one's action. The key with another fingerprint gives
// [ErrKeyReused].
func (e *Engine) Start(ctx context.Context, a Action) (State, error) {
	if err := e.open(); err != nil {
		return State{}, err
	}
	if !a.At.IsZero() {
		return State{}, &FieldError{Path: "at", Message: "is for previews: an action starts now"}
	}
	if earlier, err := e.earlier(a.Origin); err != nil || earlier != "" {
		return e.replayed(earlier, err)
	}
	sequence := e.watch()
	defer e.unwatch()
	plan, err := e.Plan(ctx, a)
	if err != nil {
		return State{}, err
	}
	if a.Recipients != "" && a.Recipients != plan.digest.Recipients {
		seen, err := recipientsSeen(a.Recipients)
		if err != nil {
			return State{}, err
		}
		return State{}, &RecipientsError{Seen: seen, Now: plan.recipients}
	}
	r, segments := e.draft(plan, sequence)
	if err := e.commit(ctx, r.record, segments, "start", a.Origin); err != nil {
		return e.replayed(r.record.ID, err)
	}
	fault.Point("after plan commit")
	e.begin(r)
	return e.Action(r.record.ID)
}

// earlier finds the action that a request with this key made before, "" if none.
func (e *Engine) earlier(o Origin) (string, error) {
	if o.Key == "" {
		return "", nil
	}
	request, ok, err := e.store.Request(o.Caller, o.Key)
	switch {
	case err != nil || !ok:
		return "", err
	case request.Fingerprint != o.Fingerprint:
		return "", ErrKeyReused
	}
	return request.Action, nil
}

// replayError is a request that another call carried out in the same moment.
type replayError struct{ action string }

// Error names the action.
func (e *replayError) Error() string { return "fanout: carried out before as " + e.action }

// replayed answers with the action of an earlier request, if that is why.
func (e *Engine) replayed(id string, err error) (State, error) {
	var replay *replayError
	if errors.As(err, &replay) {
		id, err = replay.action, nil
	}
	if err != nil {
		return State{}, err
	}
	return e.Action(id)
}

// watch notes from now on who is changed, and says where the store stands.
func (e *Engine) watch() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.runs) == 0 && e.watchers == 0 {
		e.touched.Clear()
	}
	e.watchers++
	return e.store.Sequence()
}

func (e *Engine) unwatch() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watchers--
}

// draft makes an action and its segments out of a plan.
func (e *Engine) draft(p *Plan, sequence uint64) (*run, []*segment) {
	now := e.cfg.Now()
	m := messageRecord{
		Number: 1, Phase: Alert, Title: p.action.Title, Text: p.action.Text,
		Created: now, Expires: now.Add(p.action.Deadline),
	}
	r := newRun(p.shape, record{
		Version: recordVersion, ID: newID(now), Status: Running, Action: p.action, Digest: p.digest,
		Caller: p.action.Origin.Caller, Created: now, Sequence: sequence, Skipped: p.skipped,
		Messages: []messageRecord{m},
	})
	waves := p.waves()
	number := map[int]uint16{}
	var segments []*segment
	for _, part := range p.parts {
		channel := p.action.Channels[part.slot]
		key := store.SegmentKey{Action: r.record.ID, Message: m.Number, Channel: channel, Number: number[part.slot]}
		number[part.slot]++
		s := newSegment(key, header{
			Batch: e.batch(channel), Reason: "wave", Wave: part.wave, Binds: p.rule.Windows, Holds: p.holds,
			Release: now.Add(time.Duration(slices.Index(waves, part.wave)) * p.action.Waves.Spacing),
		}, part.recipients)
		segments = append(segments, s)
		r.tracks = append(r.tracks, &track{segment: s, run: r, message: m, priority: p.rule.Priority})
	}
	return r, segments
}

// waves lists a plan's waves that have recipients, nearest first.
func (p *Plan) waves() []int {
	var waves []int
	for _, part := range p.parts {
		waves = append(waves, part.wave)
	}
	slices.Sort(waves)
	return slices.Compact(waves)
}

// batch is the batch size of a new segment.
func (e *Engine) batch(channel string) int {
	if l, ok := e.lanes[channel]; ok {
		return l.config.batch()
	}
	return e.cfg.Batch
}

// commit writes an action's record, and its new segments if any, with the audit
// record and the idempotency key of the request, all or nothing.
func (e *Engine) commit(ctx context.Context, r record, segments []*segment, verb string, o Origin) error {
	value, err := r.encode()
	if err != nil {
		return fmt.Errorf("encode action: %w", err)
	}
	encoded := make([][]byte, len(segments))
	for i, s := range segments {
		if encoded[i], err = s.encode(); err != nil {
			return fmt.Errorf("encode segment: %w", err)
		}
	}
	now := e.cfg.Now()
	return e.store.Update(ctx, func(tx *store.Tx) error {
		if o.Key != "" {
			earlier, ok, err := tx.Request(o.Caller, o.Key)
			switch {
			case err != nil:
				return err
			case ok && earlier.Fingerprint != o.Fingerprint:
				return ErrKeyReused
			case ok:
				return &replayError{earlier.Action}
			}
			tx.PutRequest(o.Caller, o.Key, store.Request{Fingerprint: o.Fingerprint, Action: r.ID, At: now})
		}
		tx.PutAction(r.ID, value)
		for i, s := range segments {
			tx.PutSegment(s.SegmentKey, encoded[i])
		}
		tx.Audit(auditRecord(now, o, verb, &r))
		return nil
	})
}

// auditRecord says who did what to an action, without its texts.
func auditRecord(now time.Time, o Origin, verb string, r *record) store.AuditRecord {
	detail, _ := json.Marshal(struct { // strings only: cannot fail
		Status Status `json:"status"`
		Digest Digest `json:"digest"`
	}{r.Status, r.Digest})
	caller := o.Caller
	if caller == "" {
		caller = "library"
	}
	return store.AuditRecord{At: now, Actor: caller, Verb: verb, Subject: r.ID, Detail: detail}
}

// begin puts a committed action's segments in line.
func (e *Engine) begin(r *run) {
	e.mu.Lock()
	e.runs[r.record.ID] = r
	e.mu.Unlock()
	e.enqueue(r.tracks)
	e.events.publish(Event{At: r.record.Created, Action: r.record.ID, Type: "status", Status: r.record.Status})
	if s := r.state(); s.Status != Running {
		e.finish(r)
	}
}

// enqueue puts tracks in line on their lanes. A channel without a sink has no
// lane; its tracks wait for a configuration that has one.
func (e *Engine) enqueue(tracks []*track) {
	byLane := map[string][]*track{}
	for _, t := range tracks {
		byLane[t.Channel] = append(byLane[t.Channel], t)
	}
	for name, list := range byLane {
		if l, ok := e.lanes[name]; ok {
			l.add(list...)
		}
	}
}

// Wait returns when every recipient of the action's messages has an outcome;
// once it is being closed or cancelled, when its last message is through. It
// returns early with the context's error, or with [ErrClosed].
func (e *Engine) Wait(ctx context.Context, id string) error {
	for {
		r, ok := e.live(id)
		if !ok {
			_, err := e.Action(id)
			return err
		}
		r.mu.Lock()
		ended := r.record.Status == Running && r.done() || !r.record.live()
		changed := r.changed
		r.mu.Unlock()
		if ended {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-e.taking.Done():
			return e.open()
		}
	}
}
