package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/crierd/crier/internal/wire"
)

// Every value begins with a byte that says how the rest is written. A value of
// a later version, or one that does not make sense, is a [*CorruptError]: it is
// never read as something else.
const version = 1

var (
	errKey   = errors.New("key cannot be read")
	errValue = errors.New("value cannot be read")
)

// CorruptError says that something in the store is not what this program wrote.
// Nothing is repaired; take a backup.
type CorruptError struct {
	Table byte // letter of the table, see keys.go
	Err   error
}

// Error names the table, and what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("store: table %c: %v: restore a backup", e.Table, e.Err)
}

// Unwrap gives the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

func corrupt(table byte, err error) error { return &CorruptError{Table: table, Err: err} }

// open checks the version byte and gives a reader of what follows.
func open(value []byte) wire.Reader {
	if len(value) == 0 || value[0] != version {
		return wire.Reader{Failed: true}
	}
	return wire.Reader{Rest: value[1:]}
}

// done says whether a value was read to its end.
func done(r *wire.Reader) error {
	if r.Failed || len(r.Rest) > 0 {
		return errValue
	}
	return nil
}

// What of a place is there.
const (
	hasPoint = 1 << iota
	hasArea
)

// appendParticipant encodes all of a participant but contacts and points, which
// have rows of their own. Language, contacts and places' points are added by
// those who read the other rows.
func appendParticipant(b []byte, p *Participant) []byte {
	b = append(b, version)
	b = wire.AppendText(b, p.ID)
	b = wire.AppendText(b, p.Language)
	b = wire.AppendText(b, p.Timezone)
	b = binary.AppendUvarint(b, uint64(len(p.Places)))
	for i := range p.Places {
		place := &p.Places[i]
		var flags byte
		if place.Point != nil {
			flags |= hasPoint
		}
		if len(place.Area) > 0 {
			flags |= hasArea
		}
		b = append(b, flags)
		b = wire.AppendText(b, place.ID)
		b = wire.AppendText(b, place.Postcode)
		b = appendWords(b, place.Channels)
		b = appendWords(b, place.Kinds)
		b = wire.AppendText(b, place.Schedule.String())
		if len(place.Area) > 0 {
			b = wire.AppendText(b, string(place.Area))
		}
	}
	return b
}

func appendWords(b []byte, words []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(words)))
	for _, w := range words {
		b = wire.AppendText(b, w)
	}
	return b
}

func words(r *wire.Reader, most uint64) []string {
	n := r.Uvarint(most)
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, r.Text(32))
	}
	return list
}

// decodeParticipant is appendParticipant's inverse; points are filled in from
// rows, in order.
func decodeParticipant(value []byte, rows []PlaceRow) (*Participant, error) {
	r := open(value)
	p := &Participant{ID: r.Text(maxID), Language: r.Text(64), Timezone: r.Text(64)}
	n := r.Uvarint(maxPlaces)
	for range n {
		var place Place
		flags := r.Byte()
		place.ID, place.Postcode = r.Text(maxID), r.Text(16)
		place.Channels, place.Kinds = words(&r, maxPreferred), words(&r, 64)
		schedule, err := ParseSchedule(r.Text(1 << 16))
		if err != nil || r.Failed {
			return nil, errValue
		}
		place.Schedule = schedule
		if flags&hasArea != 0 {
			place.Area = []byte(r.Text(1 << 24))
		}
		if flags&hasPoint != 0 {
			if len(rows) == 0 {
				return nil, errValue
			}
			place.Point = &Position{Lat: rows[0].Lat, Lng: rows[0].Lng}
			rows = rows[1:]
		}
		p.Places = append(p.Places, place)
	}
	if len(rows) > 0 {
		return nil, errValue
	}
	return p, done(&r)
}

// PlaceRow is what the index needs of a place with a point: where it is, and
// the number of its class. Coordinates are in 1e-7 degree.
type PlaceRow struct {
	Lat, Lng int32
	Class    uint32
}

const placeBytes = 12

func encodePlaces(rows []PlaceRow) []byte {
	b := make([]byte, 0, 1+placeBytes*len(rows))
	b = append(b, version)
	for _, r := range rows {
		b = binary.LittleEndian.AppendUint32(b, uint32(r.Lat))
		b = binary.LittleEndian.AppendUint32(b, uint32(r.Lng))
		b = binary.LittleEndian.AppendUint32(b, r.Class)
	}
	return b
}

// decodePlaces appends the rows of a value to dst.
func decodePlaces(dst []PlaceRow, value []byte) ([]PlaceRow, error) {
	if len(value) == 0 || value[0] != version || (len(value)-1)%placeBytes != 0 {
		return dst, errValue
	}
	for b := value[1:]; len(b) > 0; b = b[placeBytes:] {
		dst = append(dst, PlaceRow{
			Lat: int32(binary.LittleEndian.Uint32(b)), Lng: int32(binary.LittleEndian.Uint32(b[4:])),
			Class: binary.LittleEndian.Uint32(b[8:]),
		})
	}
	return dst, nil
}

// appendContacts encodes what is sealed: the contacts, and the language, so that
// a hand-over reads one row.
func appendContacts(b []byte, p *Participant) []byte {
	b = append(b, version)
	b = wire.AppendText(b, p.Language)
	b = binary.AppendUvarint(b, uint64(len(p.Contacts)))
	for _, channel := range slices.Sorted(maps.Keys(p.Contacts)) {
		b = wire.AppendText(b, channel)
		b = wire.AppendText(b, p.Contacts[channel])
	}
	return b
}

// contactsIn reads an unsealed row and calls each for every contact, with bytes
// of the row itself, until it says no.
func contactsIn(plain []byte, each func(channel, contact []byte) bool) (language string, err error) {
	r := open(plain)
	language = r.Text(64)
	for range r.Uvarint(64) {
		channel := r.Bytes(r.Uvarint(32))
		contact := r.Bytes(r.Uvarint(maxContact))
		if r.Failed {
			return "", errValue
		}
		if !each(channel, contact) {
			return language, nil
		}
	}
	return language, done(&r)
}

func decodeContacts(plain []byte) (map[string]string, error) {
	contacts := map[string]string{}
	_, err := contactsIn(plain, func(channel, contact []byte) bool {
		contacts[string(channel)] = string(contact)
		return true
	})
	return contacts, err
}

// owners are the participants who have a contact; group is what a channel's
// link says of them once they are two.
type owners struct {
	group    uint32
	ordinals []Ordinal
}

func (o owners) encode() []byte {
	b := binary.AppendUvarint([]byte{version}, uint64(o.group))
	for _, ordinal := range o.ordinals {
		b = binary.AppendUvarint(b, uint64(ordinal))
	}
	return b
}

func decodeOwners(value []byte) (owners, error) {
	r := open(value)
	o := owners{group: uint32(r.Uvarint(1<<32 - 1))}
	for len(r.Rest) > 0 && !r.Failed {
		o.ordinals = append(o.ordinals, Ordinal(r.Uvarint(1<<32-1)))
	}
	return o, done(&r)
}

func encodeNumber(n uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte{version}, n)
}

func decodeNumber(value []byte) (uint32, error) {
	if len(value) != 5 || value[0] != version {
		return 0, errValue
	}
	return binary.LittleEndian.Uint32(value[1:]), nil
}
