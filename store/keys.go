package store

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Every key of the database begins with the letter of its table. Numbers in
// keys are big-endian, so that they sort; texts in the middle of a key end in
// a zero byte, which no text that is let in contains.
//
//	p ordinal                                      participant
//	l ordinal                                      its places: all that the index needs
//	c ordinal                                      its contacts, sealed
//	i id                                           ordinal of an ID
//	h channel 0 hash                               who has a contact: group, ordinals
//	e channel 0 ordinal                            group of those who share a contact
//	k number                                       class
//	n sequence                                     change log: ordinal
//	g ordinal                                      tombstone of an erased participant
//	a action                                       action
//	s action 0 message channel 0 number            segment
//	d action 0 message channel 0 number            claim
//	o action 0 message channel 0 number batch      outcomes of a batch
//	r caller 0 key                                 request that was carried out
//	t id                                           access token
//	u number                                       audit record
//	m name                                         about the store itself
const (
	tableParticipant = 'p'
	tablePlaces      = 'l'
	tableContacts    = 'c'
	tableID          = 'i'
	tableOwner       = 'h'
	tableLink        = 'e'
	tableClass       = 'k'
	tableChange      = 'n'
	tableErased      = 'g'
	tableAction      = 'a'
	tableSegment     = 's'
	tableClaim       = 'd'
	tableOutcome     = 'o'
	tableRequest     = 'r'
	tableToken       = 't'
	tableAudit       = 'u'
	tableMeta        = 'm'
)

// Ordinal is a participant's dense number inside. It is never given out twice.
type Ordinal uint32

// SegmentKey names a segment of a plan.
type SegmentKey struct {
	Action  string
	Message uint16
	Channel string
	Number  uint16 // from 0, within action, message and channel
}

// String is the first four parts of a batch's ID.
func (k SegmentKey) String() string {
	return fmt.Sprintf("%s/%d/%s/%d", k.Action, k.Message, k.Channel, k.Number)
}

// BatchKey names a batch of a segment.
type BatchKey struct {
	SegmentKey
	Batch uint32
}

// String is the batch's ID, action/message/channel/segment/batch.
func (k BatchKey) String() string { return fmt.Sprintf("%s/%d", k.SegmentKey, k.Batch) }

func ordinalKey(table byte, o Ordinal) []byte {
	return binary.BigEndian.AppendUint32([]byte{table}, uint32(o))
}

func sequenceKey(table byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{table}, n)
}

func textKey(table byte, text string) []byte {
	return append([]byte{table}, text...)
}

func requestKey(caller, key string) []byte {
	return append(append(textKey(tableRequest, caller), 0), key...)
}

func ownerKey(channel string, hash []byte) []byte {
	return append(append(textKey(tableOwner, channel), 0), hash...)
}

// actionPrefix begins all keys of an action in a table of its parts.
func actionPrefix(table byte, action string) []byte {
	return append(textKey(table, action), 0)
}

func (k SegmentKey) append(table byte) []byte {
	b := binary.BigEndian.AppendUint16(actionPrefix(table, k.Action), k.Message)
	b = append(append(b, k.Channel...), 0)
	return binary.BigEndian.AppendUint16(b, k.Number)
}

func (k BatchKey) append() []byte {
	return binary.BigEndian.AppendUint32(k.SegmentKey.append(tableOutcome), k.Batch)
}

// parseSegmentKey reads what [SegmentKey.append] wrote; rest is what follows.
func parseSegmentKey(key []byte) (k SegmentKey, rest []byte, err error) {
	action, tail, ok := strings.Cut(string(key[min(1, len(key)):]), "\x00")
	if !ok || len(tail) < 2 {
		return k, nil, errKey
	}
	k.Action, k.Message = action, binary.BigEndian.Uint16([]byte(tail))
	channel, tail, ok := strings.Cut(tail[2:], "\x00")
	if !ok || len(tail) < 2 {
		return k, nil, errKey
	}
	k.Channel, k.Number = channel, binary.BigEndian.Uint16([]byte(tail))
	return k, []byte(tail[2:]), nil
}

func parseBatchKey(key []byte) (BatchKey, error) {
	segment, rest, err := parseSegmentKey(key)
	if err != nil || len(rest) != 4 {
		return BatchKey{}, errKey
	}
	return BatchKey{SegmentKey: segment, Batch: binary.BigEndian.Uint32(rest)}, nil
}

func parseOrdinal(key []byte) (Ordinal, error) {
	if len(key) != 5 {
		return 0, errKey
	}
	return Ordinal(binary.BigEndian.Uint32(key[1:])), nil
}

// after is the first key behind all that begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
