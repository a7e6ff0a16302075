package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Classify gives the class of each place of a participant: bytes that stand for
// all that decides whether the place is told, but where it is. Equal bytes are
// kept once. It must depend on the participant alone.
type Classify func(*Participant) [][]byte

// Change is what a write did to one participant, for whoever keeps an index.
type Change struct {
	Ordinal   Ordinal
	Created   bool
	Unchanged bool       // it was there just like that: nothing was written
	Before    []PlaceRow // as they were
	After     []PlaceRow // as they are; nil: erased
	Links     []Link     // to be applied in order
}

// Link says that a participant shares a contact on a channel: all of one group
// do. Gone: it no longer does.
type Link struct {
	Channel string
	Ordinal Ordinal
	Group   uint32
	Gone    bool
}

// ConflictError refuses a contact that belongs to another participant, and may
// not be shared on its channel.
type ConflictError struct {
	Channel string
	Owner   string // ID; tell it to nobody but an administrator
}

// Error names the channel, and not the owner.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("contacts.%s: belongs to another participant", e.Channel)
}

// exclusive says whether a contact on a channel belongs to one participant. Any
// other may be shared by a household, and then gets one message.
func exclusive(channel string) bool {
	return channel == "sms" || channel == "app" || channel == "messenger"
}

// maxOrdinals keeps the upper bit of a number free for those who keep an index.
const maxOrdinals = 1 << 31

// known is a participant as it stands in the database.
type known struct {
	*Participant
	ordinal Ordinal
	places  []PlaceRow
}

// Put creates or replaces a participant, which must have been validated. The
// first change is its own. A contact that belongs to somebody else and cannot be
// shared is refused with a [*ConflictError], and nothing is written; with
// takeover it is taken from them, and further changes are theirs.
func (tx *Tx) Put(p *Participant, classify Classify, takeover bool) ([]Change, error) {
	old, err := tx.find(p.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if old != nil && old.same(p) {
		return []Change{{Ordinal: old.ordinal, Unchanged: true}}, nil
	}
	losers, err := tx.losers(p, old)
	if err != nil {
		return nil, err
	}
	if len(losers) > 0 && !takeover {
		return nil, &ConflictError{Channel: losers[0].channel, Owner: losers[0].ID}
	}
	if old == nil && tx.state.Next >= maxOrdinals {
		return nil, ErrFull
	}
	changes := make([]Change, 1, 1+len(losers))
	for _, l := range losers {
		c, err := tx.deprive(l, classify)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	if changes[0], err = tx.write(old, p, classify); err != nil {
		return nil, err
	}
	return changes, nil
}

// same says whether a participant is there just as it would be written.
func (k *known) same(p *Participant) bool {
	if !maps.Equal(k.Contacts, p.Contacts) || !bytes.Equal(appendParticipant(nil, k.Participant), appendParticipant(nil, p)) {
		return false
	}
	return slices.EqualFunc(k.Places, p.Places, func(a, b Place) bool {
		return (a.Point == nil) == (b.Point == nil) && (a.Point == nil || *a.Point == *b.Point)
	})
}

// loser is a participant who has a contact that another one claims.
type loser struct {
	*known
	channel string
}

// losers finds who has the exclusive contacts of p.
func (tx *Tx) losers(p *Participant, old *known) ([]loser, error) {
	var list []loser
	for _, channel := range slices.Sorted(maps.Keys(p.Contacts)) {
		if !exclusive(channel) {
			continue
		}
		own, err := tx.owners(channel, p.Contacts[channel])
		if err != nil {
			return nil, err
		}
		if len(own.ordinals) == 0 || old != nil && own.ordinals[0] == old.ordinal {
			continue
		}
		k, err := tx.load(own.ordinals[0])
		if err != nil {
			return nil, err
		}
		list = append(list, loser{k, channel})
	}
	return list, nil
}

// deprive takes a contact away from a participant.
func (tx *Tx) deprive(l loser, classify Classify) (Change, error) {
	old, err := tx.load(l.ordinal) // afresh: it may have lost another one just now
	if err != nil {
		return Change{}, err
	}
	left := *old.Participant
	left.Contacts = maps.Clone(left.Contacts)
	delete(left.Contacts, l.channel)
	return tx.write(old, &left, classify)
}

// write stores p in place of old, which is nil if it is new.
func (tx *Tx) write(old *known, p *Participant, classify Classify) (Change, error) {
	state := tx.change()
	c := Change{Created: old == nil, Ordinal: state.Next}
	var before map[string]string
	if old != nil {
		c.Ordinal, c.Before, before = old.ordinal, old.places, old.Contacts
		state.count(old.Participant, -1)
	} else {
		state.Next++
		tx.set(textKey(tableID, p.ID), encodeNumber(uint32(c.Ordinal)))
	}
	state.count(p, 1)
	if err := tx.relink(&c, before, p.Contacts); err != nil {
		return c, err
	}
	classes := classify(p)
	for i := range p.Places {
		if at := p.Places[i].Point; at != nil {
			c.After = append(c.After, PlaceRow{Lat: at.Lat, Lng: at.Lng, Class: tx.intern(classes[i])})
		}
	}
	sealed, err := tx.store.seals.seal(c.Ordinal, appendContacts(nil, p))
	if err != nil {
		return c, err
	}
	tx.set(ordinalKey(tableParticipant, c.Ordinal), appendParticipant(nil, p))
	tx.set(ordinalKey(tablePlaces, c.Ordinal), encodePlaces(c.After))
	tx.set(ordinalKey(tableContacts, c.Ordinal), sealed)
	tx.log(c.Ordinal)
	return c, nil
}

// log numbers a change.
func (tx *Tx) log(o Ordinal) {
	state := tx.change()
	state.Sequence++
	tx.set(sequenceKey(tableChange, state.Sequence), encodeNumber(uint32(o)))
}

// Erase removes a participant: the rows go now, their traces on disk soon after
// (see [Store.Close]), and a tombstone with a hash of the ID stays. The ordinal
// is never given out again. [ErrNotFound] if there is none of that ID.
func (tx *Tx) Erase(id string) ([]Change, error) {
	old, err := tx.find(id)
	if err != nil {
		return nil, err
	}
	c := Change{Ordinal: old.ordinal, Before: old.places}
	if err := tx.relink(&c, old.Contacts, nil); err != nil {
		return nil, err
	}
	tx.change().count(old.Participant, -1)
	for _, table := range []byte{tableParticipant, tablePlaces, tableContacts} {
		tx.delete(ordinalKey(table, old.ordinal))
	}
	tx.delete(textKey(tableID, id))
	tx.set(ordinalKey(tableErased, old.ordinal), append([]byte{version, unscrubbed}, tx.store.seals.hash("id", id)...))
	tx.erased = append(tx.erased, old.ordinal)
	tx.log(old.ordinal)
	return []Change{c}, nil
}

// find loads a participant by ID.
func (tx *Tx) find(id string) (*known, error) {
	value, err := tx.get(textKey(tableID, id))
	if err != nil {
		return nil, err
	}
	ordinal, err := decodeNumber(value)
	if err != nil {
		return nil, corrupt(tableID, err)
	}
	return tx.load(Ordinal(ordinal))
}

// load reads a participant whole.
func (tx *Tx) load(o Ordinal) (*known, error) {
	return load(tx.batch, tx.store.seals, o)
}
