package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/crierd/crier/store"
)

// resume takes up every action that was live when the last process ended.
// Claimed batches without an answer go first, with the same keys; an end that
// was asked for and not planned is planned now.
func (e *Engine) resume(ctx context.Context) error {
	oldest := e.store.Sequence()
	for value, err := range e.store.Actions("") {
		if err != nil {
			return err
		}
		rec, err := decodeRecord(value)
		if err != nil {
			return err
		}
		if !rec.live() {
			continue
		}
		if err := e.restore(*rec); err != nil {
			return fmt.Errorf("action %s: %w", rec.ID, err)
		}
		oldest = min(oldest, rec.Sequence)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for ordinal, err := range e.store.Changes(oldest) {
		if err != nil {
			return err
		}
		e.touched.Add(uint32(ordinal))
	}
	return nil
}

// restore puts one action back in line.
func (e *Engine) restore(rec record) error {
	found, err := e.entries(rec.ID)
	if err != nil {
		return err
	}
	r, retries, err := e.rebuild(rec, found)
	if err != nil {
		return err
	}
	e.runs[rec.ID] = r
	e.enqueue(r.tracks)
	for _, again := range retries {
		if l, ok := e.lanes[again.Channel]; ok && !again.stopped {
			l.later(again)
		}
	}
	if rec.Last == nil {
		return nil
	}
	e.working.Go(func() {
		if rec.Last.Planned {
			e.finish(r)
			return
		}
		r.change.Lock()
		defer r.change.Unlock()
		_ = e.planLast(r) // a failure has stopped the engine
	})
	return nil
}

// rebuild makes an action's state in memory from segments, claims and outcomes,
// which found holds.
func (e *Engine) rebuild(rec record, found map[store.BatchKey]*entry) (*run, []*retry, error) {
	shape, err := rec.Action.Area.Prepare(e.cfg.Limits)
	if err != nil {
		return nil, nil, err
	}
	r := newRun(shape, rec)
	claims := map[store.SegmentKey]uint32{}
	for row, err := range e.store.Claims(rec.ID) {
		if err != nil {
			return nil, nil, err
		}
		claims[row.Key] = row.Batches
	}
	var retries []*retry
	for s, err := range e.segments(rec.ID) {
		if err != nil {
			return nil, nil, err
		}
		t := &track{segment: s, run: r, next: int(claims[s.SegmentKey])}
		t.message, err = rec.message(s.Message)
		if err != nil {
			return nil, nil, err
		}
		t.priority = e.priority(rec.Action.Kind, t.message.Phase)
		t.stopped = !t.message.Stopped.IsZero()
		retries = append(retries, t.replay(found, e.cfg.Now())...)
		r.tracks = append(r.tracks, t)
	}
	return r, retries, nil
}

// replay takes a segment's ledger into its tally, and lists what is to be tried
// again.
func (t *track) replay(found map[store.BatchKey]*entry, now time.Time) []*retry {
	var retries []*retry
	for k := range t.next {
		entry, ok := found[store.BatchKey{SegmentKey: t.SegmentKey, Batch: uint32(k)}]
		if !ok {
			t.again = append(t.again, k)
			continue
		}
		t.count(nil, entry)
		if entry.open() > 0 && !t.stopped {
			t.retries++
			retries = append(retries, &retry{track: t, number: k, before: entry, due: now})
		}
	}
	return retries
}

// open counts the recipients without a final outcome.
func (e *entry) open() int {
	n := 0
	for _, r := range e.Results {
		if !r.Outcome.final() {
			n++
		}
	}
	return n
}

func (r *record) message(number uint16) (messageRecord, error) {
	for _, m := range r.Messages {
		if m.Number == number {
			return m, nil
		}
	}
	return messageRecord{}, fmt.Errorf("segment of message %d, which is not there", number)
}

// priority of a phase of a kind of action.
func (e *Engine) priority(kind Kind, phase Phase) int {
	if phase == Alert {
		return e.cfg.Policy[kind].Priority
	}
	return priorityClosing
}

// entries reads an action's ledger.
func (e *Engine) entries(id string) (map[store.BatchKey]*entry, error) {
	found := map[store.BatchKey]*entry{}
	for row, err := range e.store.Outcomes(id) {
		if err != nil {
			return nil, err
		}
		entry, err := decodeEntry(row.Value)
		if err != nil {
			return nil, fmt.Errorf("batch %v: %w", row.Key, err)
		}
		found[row.Key] = entry
	}
	return found, nil
}
