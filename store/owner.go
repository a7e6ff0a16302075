package store

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// owners reads who has a contact; none is the zero value.
func (tx *Tx) owners(channel, contact string) (owners, error) {
	value, err := tx.get(ownerKey(channel, tx.store.seals.hash(channel, contact)))
	if errors.Is(err, ErrNotFound) {
		return owners{}, nil
	}
	if err != nil {
		return owners{}, err
	}
	own, err := decodeOwners(value)
	if err != nil {
		return owners{}, corrupt(tableOwner, err)
	}
	return own, nil
}

func (tx *Tx) setOwners(channel, contact string, own owners) {
	key := ownerKey(channel, tx.store.seals.hash(channel, contact))
	if len(own.ordinals) == 0 {
		tx.delete(key)
		return
	}
	tx.set(key, own.encode())
}

// relink gives up the contacts that a participant no longer has and takes up
// the new ones. Who shares one is linked.
func (tx *Tx) relink(c *Change, before, now map[string]string) error {
	for _, channel := range slices.Sorted(maps.Keys(before)) {
		if before[channel] != now[channel] {
			if err := tx.giveUp(c, channel, before[channel]); err != nil {
				return err
			}
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(now)) {
		if before[channel] != now[channel] {
			if err := tx.takeUp(c, channel, now[channel]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (tx *Tx) giveUp(c *Change, channel, contact string) error {
	own, err := tx.owners(channel, contact)
	if err != nil {
		return err
	}
	shared := len(own.ordinals) > 1
	own.ordinals = slices.DeleteFunc(own.ordinals, func(o Ordinal) bool { return o == c.Ordinal })
	if shared {
		tx.link(c, Link{Channel: channel, Ordinal: c.Ordinal, Gone: true})
		if len(own.ordinals) == 1 {
			tx.link(c, Link{Channel: channel, Ordinal: own.ordinals[0], Gone: true})
		}
	}
	tx.setOwners(channel, contact, own)
	return nil
}

func (tx *Tx) takeUp(c *Change, channel, contact string) error {
	own, err := tx.owners(channel, contact)
	if err != nil {
		return err
	}
	own.ordinals = append(own.ordinals, c.Ordinal)
	if n := len(own.ordinals); n > 1 {
		if own.group == 0 {
			state := tx.change()
			state.Group++
			own.group = state.Group
		}
		if n == 2 {
			tx.link(c, Link{Channel: channel, Ordinal: own.ordinals[0], Group: own.group})
		}
		tx.link(c, Link{Channel: channel, Ordinal: c.Ordinal, Group: own.group})
	}
	tx.setOwners(channel, contact, own)
	return nil
}

// link keeps a link, and tells it.
func (tx *Tx) link(c *Change, l Link) {
	c.Links = append(c.Links, l)
	if l.Gone {
		tx.delete(linkKey(l.Channel, l.Ordinal))
		return
	}
	tx.set(linkKey(l.Channel, l.Ordinal), encodeNumber(l.Group))
}

// linkKey has the channel first: links of a channel lie together.
func linkKey(channel string, o Ordinal) []byte {
	return append(append(textKey(tableLink, channel), 0), ordinalKey(0, o)[1:]...)
}

func decodeLink(key, value []byte) (Link, error) {
	channel, rest, ok := strings.Cut(string(key[min(1, len(key)):]), "\x00")
	if !ok || len(rest) != 4 {
		return Link{}, errKey
	}
	o, err := parseOrdinal(append([]byte{0}, rest...))
	if err != nil {
		return Link{}, err
	}
	group, err := decodeNumber(value)
	return Link{Channel: channel, Ordinal: o, Group: group}, err
}
