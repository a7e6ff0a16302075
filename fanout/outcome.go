package fanout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/crierd/crier/internal/wire"
)

// Outcome is what became of one recipient of a message on a channel.
type Outcome uint8

// The outcomes. Pending and Unknown are not final: a pending recipient waits
// for its first attempt or the next, an unknown one was claimed and the answer
// is not recorded. While the action runs an unknown recipient is sent again
// with the same key; when its message is stopped it stays unknown and counts
// as reached.
const (
	Pending   Outcome = iota
	Unknown           // claimed, no answer recorded
	Accepted          // a provider took it
	Rejected          // never try this contact again
	Failed            // attempts exhausted
	Expired           // deadline passed, or window closed by then
	Withdrawn         // stopped, erased, or contact gone before hand-over
	outcomes          // how many there are
)

var outcomeNames = [outcomes]string{"pending", "unknown", "accepted", "rejected", "failed", "expired", "withdrawn"}

// String gives the contract's word.
func (o Outcome) String() string {
	if o < outcomes {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// MarshalText gives the contract's word.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// ParseOutcome reads the contract's word.
func ParseOutcome(word string) (Outcome, error) {
	for o, name := range outcomeNames {
		if name == word {
			return Outcome(o), nil
		}
	}
	return 0, fmt.Errorf("%q is not an outcome", word)
}

// final says whether nothing more is going to happen.
func (o Outcome) final() bool { return o >= Accepted }

// result is one recipient's outcome with the reason in a word or two, which
// never holds a contact.
type result struct {
	Outcome Outcome
	Reason  string
}

// entry is the ledger's record of one batch: results in rank order.
type entry struct {
	At       time.Time // of the last change, to the millisecond
	Attempts int       // hand-overs that were answered
	Results  []result
}

// Reasons that the engine itself gives.
const (
	reasonNoAnswer = "no answer" // handed over, and nobody knows what became of it
	reasonDeadline = "deadline"
	reasonWindow   = "window"
	reasonContact  = "no contact"
	reasonChanged  = "changed"
	reasonAttempts = "attempts"
	reasonStopped  = "stopped"
)

// reached says whether the participant may have heard, and so hears the end.
func (r result) reached() bool {
	return r.Outcome == Accepted || r.Outcome == Unknown || r.maybe() == 1
}

// maybe is 1 for a recipient given up on after a hand-over without an answer.
func (r result) maybe() int {
	if (r.Outcome == Failed || r.Outcome == Expired) && r.Reason == reasonNoAnswer {
		return 1
	}
	return 0
}

var errEntry = errors.New("not a ledger entry")

const (
	entryVersion = 1
	maxReason    = 200 // bytes
	maxEntry     = 1 << 20
)

// encode gives an entry's value in the store: version, time, attempts, the distinct results, and
// runs of equal ones. A batch that was accepted whole is some 15 bytes.
func (e *entry) encode() []byte {
	b := []byte{entryVersion}
	b = binary.AppendVarint(b, e.At.UnixMilli())
	b = binary.AppendUvarint(b, uint64(e.Attempts))
	number := map[result]uint64{}
	var table []result
	for _, r := range e.Results {
		if _, ok := number[r]; !ok {
			number[r] = uint64(len(table))
			table = append(table, r)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(table)))
	for _, r := range table {
		reason := r.Reason[:min(len(r.Reason), maxReason)]
		b = binary.AppendUvarint(append(b, byte(r.Outcome)), uint64(len(reason)))
		b = append(b, reason...)
	}
	for i := 0; i < len(e.Results); {
		n := 1
		for i+n < len(e.Results) && e.Results[i+n] == e.Results[i] {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n))
		b = binary.AppendUvarint(b, number[e.Results[i]])
		i += n
	}
	return b
}

// decodeEntry is encode's inverse. It keeps nothing of value.
func decodeEntry(value []byte) (*entry, error) {
	if len(value) == 0 || value[0] != entryVersion {
		return nil, fmt.Errorf("%w of version %d", errEntry, entryVersion)
	}
	r := wire.Reader{Rest: value[1:]}
	e := &entry{At: time.UnixMilli(r.Varint()).UTC(), Attempts: int(r.Uvarint(1 << 31))}
	table := make([]result, r.Uvarint(uint64(len(r.Rest))))
	for i := range table {
		table[i].Outcome = Outcome(r.Byte())
		table[i].Reason = r.Text(maxReason)
		r.Failed = r.Failed || table[i].Outcome >= outcomes
	}
	for len(r.Rest) > 0 && !r.Failed {
		n := r.Uvarint(maxEntry - uint64(len(e.Results)))
		i := r.Uvarint(max(uint64(len(table)), 1) - 1)
		if r.Failed || len(table) == 0 {
			return nil, fmt.Errorf("%w: cut short or out of range", errEntry)
		}
		for range n {
			e.Results = append(e.Results, table[i])
		}
	}
	if r.Failed {
		return nil, fmt.Errorf("%w: cut short or out of range", errEntry)
	}
	return e, nil
}
