package fanout

import (
	"context"
	"slices"
)

// Pause stops an action within one batch: what a worker already has is finished,
// nothing more is taken. Deadlines go on meanwhile. Pausing twice is an
// [ErrStatus].
func (e *Engine) Pause(ctx context.Context, id string, o Origin) (State, error) {
	return e.turn(ctx, id, "pause", o, Running, Paused)
}

// Resume lets a paused action go on.
func (e *Engine) Resume(ctx context.Context, id string, o Origin) (State, error) {
	return e.turn(ctx, id, "resume", o, Paused, Running)
}

func (e *Engine) turn(ctx context.Context, id, verb string, o Origin, from, to Status) (State, error) {
	r, err := e.changing(id, verb, from)
	if err != nil {
		return State{}, err
	}
	defer r.change.Unlock()
	next := r.state()
	next.Status = to
	if err := e.turned(ctx, r, next, verb, o); err != nil {
		return State{}, err
	}
	return e.Action(id)
}

// changing locks a live action for a change of status.
func (e *Engine) changing(id, verb string, from ...Status) (*run, error) {
	if err := e.open(); err != nil {
		return nil, err
	}
	r, ok := e.live(id)
	if !ok {
		s, err := e.Action(id)
		if err != nil {
			return nil, err
		}
		return nil, &StatusError{Action: id, Status: s.Status, Verb: verb}
	}
	r.change.Lock()
	if status := r.state().Status; !slices.Contains(from, status) {
		r.change.Unlock()
		return nil, &StatusError{Action: id, Status: status, Verb: verb}
	}
	return r, nil
}

// turned commits a changed record and shows it to the lanes, which take nothing
// of the action meanwhile.
func (e *Engine) turned(ctx context.Context, r *run, next record, verb string, o Origin) error {
	r.hold(true)
	err := e.commit(ctx, next, nil, verb, o)
	r.mu.Lock()
	r.held = false
	if err == nil {
		r.record = next
		for _, t := range r.tracks {
			i := slices.IndexFunc(next.Messages, func(m messageRecord) bool { return m.Number == t.message.Number })
			t.stopped = !next.Messages[i].Stopped.IsZero()
		}
	}
	r.notify()
	r.mu.Unlock()
	e.signal()
	if err == nil {
		e.events.publish(Event{At: e.cfg.Now(), Action: next.ID, Type: "status", Status: next.Status})
	}
	return err
}
