package store

import "iter"

// Actions, segments, claims and outcomes are bytes that others understand; only
// the names of things are read here. An action's ID must not hold a zero byte.

// PutAction creates or replaces an action's record.
func (tx *Tx) PutAction(id string, value []byte) {
	tx.set(textKey(tableAction, id), value)
}

// PutSegment adds a segment to a plan. Segments never change.
func (tx *Tx) PutSegment(key SegmentKey, value []byte) {
	tx.set(key.append(tableSegment), value)
}

// PutClaim notes that the first n batches of a segment may have left.
func (tx *Tx) PutClaim(key SegmentKey, n uint32) {
	tx.set(key.append(tableClaim), encodeNumber(n))
}

// PutOutcomes records what became of a batch, in place of what was recorded before.
func (tx *Tx) PutOutcomes(key BatchKey, value []byte) {
	tx.set(key.append(), value)
}

// Action reads an action's record, the caller's to keep. [ErrNotFound] if there
// is none.
func (s *Store) Action(id string) ([]byte, error) { return s.get(textKey(tableAction, id)) }

// Actions reads the records of all actions whose ID is above one, in order of
// ID; "" for all. A value is valid until the next one is asked for.
func (s *Store) Actions(above string) iter.Seq2[[]byte, error] {
	first := append(textKey(tableAction, above), 0) // the first ID above it
	in := s.between(first, after([]byte{tableAction}))
	return decoded(in, tableAction, func(_, value []byte) ([]byte, error) { return value, nil })
}

// SegmentRow is a segment as it was put; Value is valid until the next row.
type SegmentRow struct {
	Key   SegmentKey
	Value []byte
}

// Segments reads an action's segments in order of message, channel and number.
func (s *Store) Segments(action string) iter.Seq2[SegmentRow, error] {
	return rows(s, actionPrefix(tableSegment, action), func(key, value []byte) (SegmentRow, error) {
		k, _, err := parseSegmentKey(key)
		return SegmentRow{k, value}, err
	})
}

// ClaimRow says that the first Batches of a segment may have left.
type ClaimRow struct {
	Key     SegmentKey
	Batches uint32
}

// Claims reads an action's claims, at most one a segment.
func (s *Store) Claims(action string) iter.Seq2[ClaimRow, error] {
	return rows(s, actionPrefix(tableClaim, action), func(key, value []byte) (ClaimRow, error) {
		k, _, err := parseSegmentKey(key)
		if err != nil {
			return ClaimRow{}, err
		}
		n, err := decodeNumber(value)
		return ClaimRow{k, n}, err
	})
}

// OutcomeRow is what was recorded of a batch; Value is valid until the next row.
type OutcomeRow struct {
	Key   BatchKey
	Value []byte
}

// Outcomes reads what is recorded of an action, in order of segment and batch.
func (s *Store) Outcomes(action string) iter.Seq2[OutcomeRow, error] {
	return rows(s, actionPrefix(tableOutcome, action), func(key, value []byte) (OutcomeRow, error) {
		k, err := parseBatchKey(key)
		return OutcomeRow{k, value}, err
	})
}
