package fanout

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/internal/fault"
	"github.com/crierd/crier/store"
)

// Retries of a batch whose provider said "retry" or nothing at all.
const (
	maxAttempts  = 12
	firstBackOff = time.Second
	maxBackOff   = time.Minute
)

// worker hands over batches of one lane, one at a time.
//
// The ledger record of a batch and the claim of the next are one synced write
// where the next batch follows at once: that halves the syncs of a lane at full
// speed. So at most one batch a worker is ever claimed and unrecorded.
type worker struct {
	*lane
	keys    hash.Hash // HMAC of idempotency keys
	batch   []uint32
	reach   []store.Reach
	pending *answered // handed over, not yet in the ledger
}

// answered is a batch with its new ledger entry.
type answered struct {
	*job
	after *entry
	due   time.Time // when what is not final is tried again
}

func newWorker(l *lane) *worker {
	return &worker{lane: l, keys: hmac.New(sha256.New, l.engine.store.Secret())}
}

// run works until taking ends. Batches under way are finished, unless sending
// ends as well.
func (w *worker) run(taking, sending context.Context) {
	for {
		j := w.takeNow()
		if j == nil {
			if !w.settle(nil) {
				return
			}
			var err error
			if j, err = w.take(taking); err != nil {
				return
			}
		}
		if !w.deliver(sending, j) {
			return
		}
		if taking.Err() != nil {
			w.settle(nil)
			return
		}
	}
}

// settle commits the answers that wait and the claim of next, if there is one.
// False means that the store takes no more writes, and the lane stops.
func (w *worker) settle(next *job) bool {
	done := w.pending
	w.pending = nil
	if done == nil && next == nil {
		return true
	}
	err := w.engine.store.Update(context.Background(), func(tx *store.Tx) error {
		if done != nil {
			tx.PutOutcomes(done.key(), done.after.encode())
		}
		if next != nil {
			w.claim(tx, next)
		}
		return nil
	})
	if err != nil {
		w.engine.fail(fmt.Errorf("lane %s: ledger: %w", w.name, err))
		return false
	}
	if done != nil {
		w.engine.recorded(w.lane, done)
	}
	return true
}

// claim notes, before hand-over, that a batch may have left: a fresh one by the
// segment's claim, one that is tried again by marking who is on the way.
func (w *worker) claim(tx *store.Tx, j *job) {
	if j.fresh {
		j.run.mu.Lock()
		defer j.run.mu.Unlock()
		tx.PutClaim(j.SegmentKey, j.taken())
		return
	}
	if j.before == nil {
		return // claimed before a crash
	}
	marked := &entry{At: j.before.At, Attempts: j.before.Attempts}
	for _, r := range j.before.Results {
		if r.Outcome == Pending {
			r = result{Outcome: Unknown}
		}
		marked.Results = append(marked.Results, r)
	}
	tx.PutOutcomes(j.key(), marked.encode())
}

// deliver takes one batch from claim to answer.
func (w *worker) deliver(ctx context.Context, j *job) bool {
	w.batch = j.segment.batch(j.number, w.batch)
	now := w.engine.cfg.Now()
	after := j.begin(len(w.batch), now)
	var b *channels.Batch
	var ranks []int
	if j.units > 0 {
		var err error
		if b, ranks, err = w.address(j, after, now); err != nil {
			w.engine.fail(fmt.Errorf("lane %s: read contacts: %w", w.name, err))
			return false
		}
	} else {
		after.expire()
	}
	if len(ranks) == 0 {
		if !w.settle(j.claimless()) {
			return false
		}
		w.pending = &answered{job: j, after: after, due: now}
		return true
	}
	if !w.settle(j) {
		return false
	}
	fault.Point("after claim")
	w.pending = w.send(ctx, j, b, after, ranks)
	fault.Point("between sink answer and ledger write")
	return true
}

// claimless is nil: a batch of which nothing leaves needs no claim of its own,
// unless it is fresh, when the claim says that the batch was dealt with.
func (j *job) claimless() *job {
	if j.fresh {
		return j
	}
	return nil
}

// begin is the entry that a hand-over starts from: what the ledger says, or
// nothing known yet.
func (j *job) begin(n int, now time.Time) *entry {
	after := &entry{At: now, Results: make([]result, n)}
	if j.before != nil {
		after.Attempts = j.before.Attempts
		copy(after.Results, j.before.Results)
	} else if !j.fresh {
		for i := range after.Results {
			after.Results[i].Outcome = Unknown
		}
	}
	return after
}

// expire gives up on whoever has no final outcome.
func (e *entry) expire() {
	for i, r := range e.Results {
		switch r.Outcome {
		case Pending:
			e.Results[i] = result{Expired, reasonDeadline}
		case Unknown:
			e.Results[i] = result{Expired, reasonNoAnswer}
		}
	}
}

// address makes the batch for the sink: contacts unsealed, windows judged again.
// Who is not sent to gets the outcome in after; ranks says where in the batch
// the recipients stand.
func (w *worker) address(j *job, after *entry, now time.Time) (*channels.Batch, []int, error) {
	var err error
	if w.reach, err = w.engine.store.Reach(w.name, w.batch, w.reach[:0]); err != nil {
		return nil, nil, err
	}
	b := w.envelope(j, after)
	var ranks []int
	for i, ordinal := range w.batch {
		if after.Results[i].Outcome.final() || len(ranks) == j.units {
			continue
		}
		var verdict result
		if !w.reach[i].Found {
			verdict = result{Withdrawn, reasonContact}
		} else if verdict, err = w.engine.again(j.track, ordinal, now); err != nil {
			return nil, nil, err
		}
		if verdict.Outcome != Pending {
			if after.Results[i].Outcome == Unknown {
				verdict = result{Expired, reasonNoAnswer}
			}
			after.Results[i] = verdict
			continue
		}
		ranks = append(ranks, i)
		b.Recipients = append(b.Recipients, channels.Recipient{
			Key:  w.key(j, ordinal),
			To:   channels.Contact(w.reach[i].Contact),
			Lang: j.language(w.reach[i].Language, w.engine.cfg.Language),
		})
	}
	return b, ranks, nil
}

// envelope is the batch without its recipients.
func (w *worker) envelope(j *job, after *entry) *channels.Batch {
	a, m := j.action(), j.message
	texts := make(map[string]channels.Text, len(m.Text))
	for lang, text := range m.Text {
		texts[lang] = channels.Text{Title: m.Title[lang], Text: text}
	}
	return &channels.Batch{
		ID:     j.key().String(),
		Action: j.Action, Message: int(m.Number), Attempt: after.Attempts + 1,
		Phase: string(m.Phase), Channel: w.name, Kind: string(a.Kind), Drill: a.Drill,
		Texts: texts, Expires: m.Expires,
		Recipients: make([]channels.Recipient, 0, j.units),
	}
}

// action is what was asked for; it never changes.
func (t *track) action() Action {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	return t.run.record.Action
}

// language is the one of the texts that a participant gets.
func (t *track) language(own, network string) string {
	if t.message.Text[own] != "" {
		return own
	}
	return network
}

// key is a recipient's idempotency key: the same whenever and however often the
// message is handed over on this channel.
func (w *worker) key(j *job, ordinal uint32) string {
	w.keys.Reset()
	var b [64]byte
	head := append(b[:0], j.Action...)
	head = binary.BigEndian.AppendUint16(head, j.message.Number)
	head = binary.BigEndian.AppendUint32(head, ordinal)
	head = append(head, w.name...)
	w.keys.Write(append(head, 0)) // the round: raised by a resend after a definite failure
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.EncodeToString(w.keys.Sum(sum[:0])[:16])
}

// send hands the batch over and reads the answers into after.
func (w *worker) send(ctx context.Context, j *job, b *channels.Batch, after *entry, ranks []int) *answered {
	sink := w.config.Sink
	if b.Drill {
		sink = w.engine.cfg.Drill
	}
	ctx, cancel := context.WithTimeout(ctx, w.config.Timeout)
	defer cancel()
	answers, err := sink.Send(ctx, b)
	now := w.engine.cfg.Now()
	after.At = now
	var throttle *channels.ThrottledError
	switch {
	case errors.As(err, &throttle):
		due := now.Add(max(throttle.After, 10*time.Millisecond))
		w.throttle(due)
		after.mark(ranks, result{})
		w.engine.metrics.throttles.Add(1)
		return &answered{j, after, due}
	case err == nil && len(answers) != len(ranks):
		err = fmt.Errorf("%d answers to %d recipients", len(answers), len(ranks))
	}
	after.Attempts++
	if err != nil {
		w.unanswered.Add(1)
		w.engine.cfg.Logger.Warn("batch not answered", "batch", b.ID, "attempt", b.Attempt, "error", err)
		after.mark(ranks, result{Outcome: Unknown})
	} else {
		for i, rank := range ranks {
			after.Results[rank] = outcomeOf(answers[i])
		}
	}
	if after.Attempts >= maxAttempts {
		after.giveUp(ranks)
	}
	return &answered{j, after, after.due(ranks, now)}
}

// due is when a batch goes again: at once if only the bucket's burst, made
// smaller since the segment was planned, kept part of it from going now.
func (e *entry) due(ranks []int, now time.Time) time.Time {
	for _, rank := range ranks {
		if !e.Results[rank].Outcome.final() {
			return now.Add(backOff(e.Attempts))
		}
	}
	return now
}

func (e *entry) mark(ranks []int, r result) {
	for _, rank := range ranks {
		e.Results[rank] = r
	}
}

// giveUp ends what was tried often enough.
func (e *entry) giveUp(ranks []int) {
	for _, rank := range ranks {
		switch e.Results[rank].Outcome {
		case Pending:
			e.Results[rank] = result{Failed, reasonAttempts}
		case Unknown:
			e.Results[rank] = result{Failed, reasonNoAnswer}
		}
	}
}

func outcomeOf(a channels.Answer) result {
	switch a.Verdict {
	case channels.Accepted:
		return result{Outcome: Accepted}
	case channels.Rejected:
		return result{Rejected, tidy(a.Reason)}
	default:
		return result{Pending, tidy(a.Reason)}
	}
}

// tidy makes a provider's reason fit for the ledger.
func tidy(reason string) string {
	reason = strings.ToValidUTF8(reason, "")
	for len(reason) > maxReason {
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	return reason
}

// backOff doubles from a second to a minute, with full jitter on its upper half.
func backOff(attempts int) time.Duration {
	d := min(firstBackOff<<min(attempts-1, 10), maxBackOff)
	return d/2 + rand.N(d/2)
}
