package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/crierd/crier/internal/wire"
)

// AuditRecord says who did what. It must not hold contacts or texts of people.
// Records are a chain: each holds the hash of the one before, so that none can
// be changed or left out unseen. That none is missing at the end shows only
// against a head that was kept elsewhere; see [Store.AuditHead].
type AuditRecord struct {
	At      time.Time
	Actor   string          // caller
	Verb    string          // "start", "erase", …
	Subject string          // ID of an action or participant, or ""
	Detail  json.RawMessage // or nil
}

const maxAuditText = 1 << 20

// Audit adds a record to the chain, with the rest of the Update or not at all.
func (tx *Tx) Audit(r AuditRecord) {
	state := tx.change()
	value := r.append(append([]byte{version}, state.Head...))
	head := sha256.Sum256(value)
	tx.set(sequenceKey(tableAudit, state.Audited), value)
	state.Audited++
	state.Head = head[:]
}

func (r AuditRecord) append(b []byte) []byte {
	b = binary.AppendVarint(b, r.At.UnixMicro())
	b = wire.AppendText(b, r.Actor)
	b = wire.AppendText(b, r.Verb)
	b = wire.AppendText(b, r.Subject)
	return wire.AppendText(b, string(r.Detail))
}

// decodeAudit reads a record; head is the hash of the one before, none for the first.
func decodeAudit(value []byte, first bool) (r AuditRecord, head []byte, err error) {
	w := open(value)
	if !first {
		head = bytes.Clone(w.Bytes(sha256.Size))
	}
	r.At = time.UnixMicro(w.Varint()).UTC()
	r.Actor, r.Verb, r.Subject = w.Text(maxAuditText), w.Text(maxAuditText), w.Text(maxAuditText)
	if detail := w.Text(maxAuditText); detail != "" {
		r.Detail = json.RawMessage(detail)
	}
	return r, head, done(&w)
}

// AuditHead is the number of audit records and the hash of the last, which
// stands for all of them: kept elsewhere, it shows that none was cut off.
func (s *Store) AuditHead() (records uint64, hash []byte) {
	s.write.Lock()
	defer s.write.Unlock()
	return s.state.Audited, bytes.Clone(s.state.Head)
}

// AuditError says where the chain is broken.
type AuditError struct {
	Record uint64 // from 0
	Reason string
}

// Error names the record.
func (e *AuditError) Error() string {
	return fmt.Sprintf("store: audit record %d %s", e.Record, e.Reason)
}

// Audit reads the chain from its beginning and checks it on the way. A break is
// an [*AuditError], after the records before it.
func (s *Store) Audit() iter.Seq2[AuditRecord, error] {
	return func(yield func(AuditRecord, error) bool) {
		n, last := s.AuditHead()
		var hash []byte
		at := uint64(0)
		for r, err := range s.between([]byte{tableAudit}, sequenceKey(tableAudit, n)) {
			var record AuditRecord
			var before []byte
			if err == nil {
				record, before, err = decodeAudit(r.value, at == 0)
			}
			switch {
			case err != nil:
				err = &AuditError{at, "cannot be read"}
			case !bytes.Equal(r.key, sequenceKey(tableAudit, at)):
				err = &AuditError{at, "is missing"}
			case !bytes.Equal(before, hash):
				err = &AuditError{at, "does not follow the one before"}
			}
			if !yield(record, err) || err != nil {
				return
			}
			sum := sha256.Sum256(r.value)
			hash = sum[:]
			at++
		}
		switch {
		case at != n:
			yield(AuditRecord{}, &AuditError{at, "is missing"})
		case !bytes.Equal(hash, last):
			yield(AuditRecord{}, &AuditError{at, "is not the one that the chain ends in"})
		}
	}
}
