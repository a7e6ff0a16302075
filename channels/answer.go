package channels

import (
	"fmt"
	"strconv"
	"time"
)

// Verdict is what a provider said of one recipient. The zero Verdict is not
// one of the three: an answer that was never filled in cannot pass for an
// acceptance.
type Verdict uint8

// What a provider can say.
const (
	Accepted Verdict = 1 + iota // the provider has it; delivery may still fail
	Rejected                    // never try this contact again
	Retry                       // not now; the same message may be tried again
)

// String returns the word that the ledger and the webhook use, or "Verdict(n)"
// for anything that is not a verdict.
func (v Verdict) String() string {
	switch v {
	case Accepted:
		return "accepted"
	case Rejected:
		return "rejected"
	case Retry:
		return "retry"
	}
	return "Verdict(" + strconv.Itoa(int(v)) + ")"
}

// Answer is what became of one recipient of a batch at the hand-over. The zero
// Answer is invalid, see [Verdict].
type Answer struct {
	Verdict Verdict
	Ref     string // the provider's reference of an accepted message; may be empty
	Reason  string // a short code, never a contact; empty when accepted
}

// ThrottledError says that the provider asks for a pause before anything else
// is sent. Nothing of the batch was taken; it may be sent again as it is, and
// the order of batches is kept.
type ThrottledError struct {
	After time.Duration // how long; zero or less: the provider did not say
	Err   error         // what the provider answered; may be nil
}

// Error tells the pause and the cause.
func (e *ThrottledError) Error() string {
	s := "channels: throttled"
	if e.After > 0 {
		s += fmt.Sprintf(" for %v", e.After)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *ThrottledError) Unwrap() error { return e.Err }
