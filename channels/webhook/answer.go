package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/crierd/crier/channels"
)

// ErrAnswer says that a service answered 2xx with a body that cannot be read as
// results, so that nothing is known of the batch.
var ErrAnswer = errors.New("webhook: answer not understood")

// How much of what a service says is kept, in bytes.
const (
	maxRef    = 256
	maxReason = 64
)

// Reasons that the sink gives itself.
const (
	reasonMissing      = "no result"
	reasonContradicted = "contradicting results"
	reasonUnknown      = "unknown outcome"
	reasonWithheld     = "withheld"
)

type result struct {
	Key     string `json:"key"`
	Outcome string `json:"outcome"`
	Ref     string `json:"ref"`
	Reason  string `json:"reason"`
}

// decode reads an answer strictly (a name twice, invalid UTF-8 or something
// behind the object is an error) but lets members pass that it does not know,
// so that services may say more. all means that everyone was accepted.
func decode(body []byte) (results []result, all bool, err error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, true, nil
	}
	var answer struct {
		Results *[]result `json:"results"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, false, fmt.Errorf("%w: not the JSON of the contract", ErrAnswer)
	}
	if answer.Results == nil {
		return nil, false, fmt.Errorf("%w: no results", ErrAnswer)
	}
	return *answer.Results, false, nil
}

// match gives each recipient the result with its key. A result that is wrong
// costs one recipient one more attempt, not the batch its answers.
func (s *Sink) match(b *channels.Batch, body []byte) ([]channels.Answer, error) {
	results, all, err := decode(body)
	if err != nil {
		return nil, err
	}
	answers := make([]channels.Answer, len(b.Recipients))
	place := make(map[string]int, len(b.Recipients))
	for i := range b.Recipients {
		place[b.Recipients[i].Key] = i
		if all {
			answers[i].Verdict = channels.Accepted
		}
	}
	foreign, contradicted := 0, 0
	for i := range results {
		r := &results[i]
		at, ours := place[r.Key]
		if !ours {
			foreign++
			continue
		}
		next := r.answer(b.Recipients[at].To)
		if had := answers[at].Verdict; had != 0 && had != next.Verdict {
			contradicted++
			next = channels.Answer{Verdict: channels.Retry, Reason: reasonContradicted}
		}
		answers[at] = next
	}
	missing := 0
	for i := range answers {
		if answers[i].Verdict == 0 {
			missing++
			answers[i] = channels.Answer{Verdict: channels.Retry, Reason: reasonMissing}
		}
	}
	if foreign+contradicted+missing > 0 {
		s.config.Logger.Warn("webhook results do not match the batch", "batch", b.ID, "attempt", b.Attempt,
			"missing", missing, "foreign", foreign, "contradicted", contradicted)
	}
	return answers, nil
}

func (r *result) answer(to channels.Contact) channels.Answer {
	switch r.Outcome {
	case "accepted":
		return channels.Answer{Verdict: channels.Accepted, Ref: cut(r.Ref, maxRef)}
	case "rejected":
		return channels.Answer{Verdict: channels.Rejected, Reason: reason(r.Reason, to)}
	case "retry":
		return channels.Answer{Verdict: channels.Retry, Reason: reason(r.Reason, to)}
	}
	return channels.Answer{Verdict: channels.Retry, Reason: reasonUnknown}
}

// reason is what a service gave as one, unless that could be a contact: this
// recipient's, an address, or digits enough for a number. Reasons are logged
// and kept in the ledger, where no contact may be.
func reason(said string, to channels.Contact) string {
	digits := 0
	for _, r := range said {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	own := strings.TrimPrefix(to.Reveal(), "+")
	if digits > 5 || strings.Contains(said, "@") || own != "" && strings.Contains(said, own) {
		return reasonWithheld
	}
	printable := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, said)
	return cut(printable, maxReason)
}

// cut shortens to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
