package fanout

import (
	"encoding/json"
	"fmt"
	"time"
)

// Status is where an action is in its life.
type Status string

// The statuses. A cancelled action may still be sending its correction.
const (
	Draft     Status = "draft"
	Running   Status = "running"
	Paused    Status = "paused"
	Closing   Status = "closing"
	Closed    Status = "closed"
	Cancelled Status = "cancelled"
)

// Phase says what a message is for.
type Phase string

// The phases that are sent today; updates come later.
const (
	Alert      Phase = "alert"
	Ending     Phase = "closing"
	Correction Phase = "correction"
)

// record is what the store keeps of an action, beside its segments, claims and
// outcomes. What can be computed from those is not in it.
type record struct {
	Version  int             `json:"version"`
	ID       string          `json:"id"`
	Status   Status          `json:"status"`
	Action   Action          `json:"action"`
	Digest   Digest          `json:"digest"`
	Caller   string          `json:"caller"`
	Created  time.Time       `json:"created"`
	Ended    time.Time       `json:"ended,omitzero"` // when the last message was through, after closing or cancelling
	Sequence uint64          `json:"sequence"`       // of the store when the plan was made: later changes are judged again
	Skipped  Skipped         `json:"skipped"`
	Messages []messageRecord `json:"messages"`
	Last     *last           `json:"last,omitempty"` // the closing or correction that was asked for
}

// messageRecord is one message of an action.
type messageRecord struct {
	Number  uint16    `json:"number"` // from 1
	Phase   Phase     `json:"phase"`
	Title   Text      `json:"title,omitempty"`
	Text    Text      `json:"text"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Stopped time.Time `json:"stopped,omitzero"` // from then on nothing more is claimed
}

// last is a closing or correction from the moment that it was asked for: it is
// kept before its recipients are known, so that a crash cannot lose it.
type last struct {
	Phase   Phase  `json:"phase"`
	Result  string `json:"result,omitempty"` // "found", "not_found" or "ended"
	Reason  string `json:"reason,omitempty"` // of a cancellation
	Title   Text   `json:"title,omitempty"`
	Text    Text   `json:"text,omitempty"`
	Planned bool   `json:"planned"` // its message and segments are in the store
}

const recordVersion = 1

func (r *record) encode() ([]byte, error) { return json.Marshal(r) }

func decodeRecord(value []byte) (*record, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("action: %w", err)
	}
	if r.Version != recordVersion {
		return nil, fmt.Errorf("action %s: record version %d, this program reads %d", r.ID, r.Version, recordVersion)
	}
	return &r, nil
}

// live says whether lanes may still have work for the action.
func (r *record) live() bool { return r.Ended.IsZero() }
