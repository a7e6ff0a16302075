// Package channels says what a sink is: the thing that hands one batch of
// messages to a provider and tells, recipient by recipient, what the provider
// answered.
//
// A sink does no pacing, no retries and no choosing of recipients; whoever
// drives it (package fanout) does. Sinks live in packages of their own below
// this one: record writes files, webhook posts signed JSON. A program brings
// its own by implementing [Sink] or by wrapping a function in [SinkFunc], and
// checks it with the suite in sinktest.
//
// A sink must be safe for concurrent use: several workers hand it batches at
// once. It must return soon after its context ends, and it must not hold on to
// the [Batch] or anything in it after it returned.
package channels

import (
	"context"
	"time"
)

// The channels that crier knows by itself. A program may add names of its own.
const (
	App       = "app"       // push token, "fcm:…" or "apns:…"
	SMS       = "sms"       // telephone number, E.164
	Voice     = "voice"     // telephone number, E.164
	Email     = "email"     // address, RFC 5321
	X         = "x"         // account
	Messenger = "messenger" // page-scoped ID
	Board     = "board"     // URL of a message board
)

// Sink delivers batches on one channel.
//
// Send answers for every recipient, in the order of b.Recipients: on success
// the answers are exactly as many as the recipients. An error means that
// nothing is known of the batch as a whole, and then there are no answers; the
// caller sends the same batch again, with the same keys, which is why a
// provider should recognise a key that it has seen. A [*ThrottledError] asks
// the caller to wait first. Neither answers nor errors contain a contact.
//
// Send must be safe for concurrent use.
type Sink interface {
	Send(ctx context.Context, b *Batch) ([]Answer, error)
}

// SinkFunc is a function that serves as a [Sink]; what is asked of Send is
// asked of the function.
type SinkFunc func(ctx context.Context, b *Batch) ([]Answer, error)

// Send calls f.
func (f SinkFunc) Send(ctx context.Context, b *Batch) ([]Answer, error) { return f(ctx, b) }

// Bounded is implemented by a sink that takes only so many recipients at a
// time. MaxBatch never changes; zero or less means that there is no bound.
type Bounded interface {
	MaxBatch() int
}

// Batch is one hand-over: a text in several languages, and who must get it.
// The zero Batch is empty and useless, but valid: a sink answers it with no
// answers. A sink reads a Batch and never changes it.
type Batch struct {
	// ID is action/message/channel/segment/batch. The same ID always means the
	// same recipients, however often it is attempted.
	ID      string
	Action  string // "a-" and 26 characters
	Message int    // counts from 1 within the action; the alert is 1
	Attempt int    // counts from 1
	Phase   string // "alert", "update", "closing" or "correction"
	Channel string // one of the constants above, or the program's own
	Kind    string // of the action: "missing", …
	Drill   bool   // an exercise: nothing of it may reach the outside

	Texts      map[string]Text // by language, such as "nl"
	Expires    time.Time       // after this the message is worthless; zero: never
	Recipients []Recipient     // the unit of an answer; at least one
}

// Text is a message in one language, rendered for the channel. Title may be
// empty.
type Text struct {
	Title string
	Text  string
}

// Recipient is one message of a [Batch].
type Recipient struct {
	// Key is the idempotency key: the same message to the same participant
	// over the same channel always carries the same key.
	Key  string
	To   Contact
	Lang string            // names one of the batch's Texts
	Vars map[string]string // may be nil
}
