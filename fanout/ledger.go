package fanout

import (
	"iter"
	"time"

	"github.com/crierd/crier/store"
)

// Row is what became of one recipient of a message on a channel.
type Row struct {
	Participant string // "" if it was erased since
	Message     int
	Phase       Phase
	Channel     string
	Outcome     Outcome
	Reason      string
	At          time.Time // zero: no attempt yet
}

// Query picks rows of a ledger. The zero value is all of them.
type Query struct {
	Message int    // default: all
	Channel string // default: all
	Outcome string // default: all; "missed": of alerts, never accepted on any channel and not withdrawn
}

// Missed is the [Query.Outcome] of those who never got the alert.
const Missed = "missed"

// Ledger reads an action's outcomes, one row a recipient and channel, in order
// of message, channel, wave and participant's ordinal. Rows that are written
// meanwhile may or may not be seen. An error is the last pair.
func (e *Engine) Ledger(id string, q Query) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := e.rows(id, q, func(r Row) bool { return yield(r, nil) }); err != nil {
			yield(Row{}, err)
		}
	}
}

func (e *Engine) rows(id string, q Query, yield func(Row) bool) error {
	if err := q.validate(); err != nil {
		return err
	}
	rec, err := e.record(id)
	if err != nil {
		return err
	}
	found, err := e.entries(id)
	if err != nil {
		return err
	}
	r, _, err := e.rebuild(*rec, found)
	if err != nil {
		return err
	}
	for _, t := range r.tracks {
		if q.Message != 0 && q.Message != int(t.message.Number) || q.Channel != "" && q.Channel != t.Channel {
			continue
		}
		if more, err := e.segmentRows(t, found, q.Outcome, yield); !more || err != nil {
			return err
		}
	}
	return nil
}

func (q Query) validate() error {
	if q.Outcome == "" || q.Outcome == Missed {
		return nil
	}
	if _, err := ParseOutcome(q.Outcome); err != nil {
		return &FieldError{Path: "outcome", Message: err.Error()}
	}
	return nil
}

// segmentRows yields the rows of one segment; false means that the reader stopped.
func (e *Engine) segmentRows(t *track, found map[store.BatchKey]*entry, want string, yield func(Row) bool) (bool, error) {
	var ordinals []uint32
	for k := range t.batches() {
		ordinals = t.batch(k, ordinals)
		entry := found[store.BatchKey{SegmentKey: t.SegmentKey, Batch: uint32(k)}]
		for rank, ordinal := range ordinals {
			result, at := t.result(entry, k, rank)
			if !t.wanted(result, want) {
				continue
			}
			id, _, err := e.store.ID(store.Ordinal(ordinal))
			if err != nil {
				return false, err
			}
			row := Row{
				Participant: id, Message: int(t.message.Number), Phase: t.message.Phase,
				Channel: t.Channel, Outcome: result.Outcome, Reason: result.Reason, At: at,
			}
			if !yield(row) {
				return false, nil
			}
		}
	}
	return true, nil
}

// wanted says whether a query's outcome covers a result.
func (t *track) wanted(r result, want string) bool {
	switch want {
	case "":
		return true
	case Missed:
		return t.message.Phase == Alert && r.Outcome != Accepted && r.Outcome != Withdrawn
	}
	return r.Outcome.String() == want
}

// result is a recipient's outcome as the ledger tells it: what a stopped message
// never claimed is withdrawn, what it claimed without an answer is unknown.
func (t *track) result(recorded *entry, batch, rank int) (result, time.Time) {
	switch {
	case recorded != nil:
		r := recorded.Results[rank]
		if t.stopped && r.Outcome == Pending {
			r = result{Withdrawn, reasonStopped}
		}
		return r, recorded.At
	case batch < t.next:
		return result{Outcome: Unknown}, time.Time{}
	case t.stopped:
		return result{Withdrawn, reasonStopped}, t.message.Stopped
	}
	return result{Outcome: Pending}, time.Time{}
}

// record reads an action's record from the store.
func (e *Engine) record(id string) (*record, error) {
	value, err := e.store.Action(id)
	if err != nil {
		return nil, notFound(err)
	}
	return decodeRecord(value)
}

// segments reads an action's segments in order of message, channel and number.
func (e *Engine) segments(id string) iter.Seq2[*segment, error] {
	return func(yield func(*segment, error) bool) {
		for row, err := range e.store.Segments(id) {
			var s *segment
			if err == nil {
				s, err = decodeSegment(row.Key, row.Value)
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}
