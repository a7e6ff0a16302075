package fanout

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/crierd/crier/store"
)

// segment is an immutable part of a message's plan on one channel: the
// participants, and the batch size fixed when it was made, so that batch k is
// ranks [k·Batch, (k+1)·Batch) for ever, whatever an operator changes later.
type segment struct {
	store.SegmentKey
	header
	recipients *roaring.Bitmap
}

// header is what a segment says beside its bitmap.
type header struct {
	Batch   int       `json:"batch"`
	Reason  string    `json:"reason"` // "wave", "closing" or "correction"
	Wave    int       `json:"wave"`
	Release time.Time `json:"release"`        // not handed over before
	Holds   time.Time `json:"holds,omitzero"` // until then no window of its recipients closes
	Binds   bool      `json:"binds"`          // windows are judged again at hand-over, from Holds on
}

var errSegment = errors.New("not a segment")

const segmentVersion = 1

// newSegment takes ordinals in ascending order.
func newSegment(key store.SegmentKey, h header, ordinals []uint32) *segment {
	bitmap := roaring.New()
	bitmap.AddMany(ordinals)
	bitmap.RunOptimize()
	return &segment{SegmentKey: key, header: h, recipients: bitmap}
}

// size is the number of recipients.
func (s *segment) size() int { return int(s.recipients.GetCardinality()) }

// batches is the number of batches.
func (s *segment) batches() int { return (s.size() + s.Batch - 1) / s.Batch }

// batch lists the ordinals of a batch, ascending, into dst.
func (s *segment) batch(k int, dst []uint32) []uint32 {
	dst = dst[:0]
	first, err := s.recipients.Select(uint32(k * s.Batch))
	if err != nil {
		return dst // beyond the last batch
	}
	it := s.recipients.Iterator()
	it.AdvanceIfNeeded(first)
	for len(dst) < s.Batch && it.HasNext() {
		dst = append(dst, it.Next())
	}
	return dst
}

// batchSize is the number of recipients of batch k.
func (s *segment) batchSize(k int) int {
	return max(0, min(s.Batch, s.size()-k*s.Batch))
}

// encode gives the segment's value in the store: version, length of the header,
// header as JSON, bitmap in Roaring's portable format.
func (s *segment) encode() ([]byte, error) {
	head, err := json.Marshal(s.header)
	if err != nil {
		return nil, err
	}
	bitmap, err := s.recipients.ToBytes()
	if err != nil {
		return nil, err
	}
	b := binary.AppendUvarint([]byte{segmentVersion}, uint64(len(head)))
	return append(append(b, head...), bitmap...), nil
}

// decodeSegment is encode's inverse. It keeps nothing of value.
func decodeSegment(key store.SegmentKey, value []byte) (*segment, error) {
	if len(value) == 0 || value[0] != segmentVersion {
		return nil, fmt.Errorf("segment %v: %w of version %d", key, errSegment, segmentVersion)
	}
	n, used := binary.Uvarint(value[1:])
	rest := value[1+max(used, 0):]
	if used <= 0 || n > uint64(len(rest)) {
		return nil, fmt.Errorf("segment %v: %w: cut short", key, errSegment)
	}
	s := &segment{SegmentKey: key, recipients: roaring.New()}
	if err := json.Unmarshal(rest[:n], &s.header); err != nil {
		return nil, fmt.Errorf("segment %v: %w: %w", key, errSegment, err)
	}
	if s.Batch < 1 {
		return nil, fmt.Errorf("segment %v: %w: batch size %d", key, errSegment, s.Batch)
	}
	if err := s.recipients.UnmarshalBinary(rest[n:]); err != nil {
		return nil, fmt.Errorf("segment %v: %w: %w", key, errSegment, err)
	}
	return s, nil
}
