package store

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

func TestParticipantRow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		p := somebody(r, "x")
		p.Places = append(p.Places, Place{Area: []byte(`{"regions":["GM0363"]}`), Channels: []string{"messenger"}, Schedule: Always()})
		var rows []PlaceRow
		for _, place := range p.Places {
			if place.Point != nil {
				rows = append(rows, PlaceRow{Lat: place.Point.Lat, Lng: place.Point.Lng})
			}
		}
		got, err := decodeParticipant(appendParticipant(nil, p), rows)
		require.NoError(t, err)
		if got.Contacts, err = decodeContacts(appendContacts(nil, p)); err != nil {
			require.NoError(t, err)
		}
		require.Equal(t, p, got)
		_, err = decodeParticipant(appendParticipant(nil, p), append(rows, PlaceRow{}))
		require.ErrorIs(t, err, errValue)
	}
}

// FuzzRows decodes a value as each kind of row: what is accepted comes back the
// same, what is not is refused and never taken for something else.
func FuzzRows(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 2))
	p := somebody(r, "somebody")
	f.Add(appendParticipant(nil, p))
	f.Add(appendContacts(nil, p))
	f.Add(encodePlaces([]PlaceRow{{1, 2, 3}}))
	f.Add(owners{7, []Ordinal{1, 2}}.encode())
	f.Add(AuditRecord{At: time.Unix(1, 0), Actor: "a", Verb: "v"}.append([]byte{version}))
	f.Add(state{}.encode())
	f.Add([]byte{version + 1, 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		if rows, err := decodePlaces(nil, value); err == nil {
			require.Equal(t, value, encodePlaces(rows))
		}
		for _, rows := range [][]PlaceRow{nil, {{1, 2, 3}}} {
			if p, err := decodeParticipant(value, rows); err == nil {
				again, err := decodeParticipant(appendParticipant(nil, p), rows)
				require.NoError(t, err)
				require.Equal(t, p, again)
			}
		}
		if o, err := decodeOwners(value); err == nil {
			again, err := decodeOwners(o.encode())
			require.NoError(t, err)
			require.Equal(t, o, again)
		}
		if c, err := decodeContacts(value); err == nil {
			again, err := decodeContacts(appendContacts(nil, &Participant{Contacts: c}))
			require.NoError(t, err)
			require.Equal(t, c, again)
		}
		if n, err := decodeNumber(value); err == nil {
			require.Equal(t, value, encodeNumber(n))
		}
		if a, _, err := decodeAudit(value, true); err == nil {
			again, _, err := decodeAudit(a.append([]byte{version}), true)
			require.NoError(t, err)
			require.Equal(t, a, again)
		}
		if s, err := decodeState(value); err == nil {
			_, err := decodeState(s.encode())
			require.NoError(t, err)
		}
		_, _, _ = request(value, nil)
	})
}

// FuzzKeys decodes keys: what is accepted comes back the same.
func FuzzKeys(f *testing.F) {
	key := BatchKey{SegmentKey{"a-01", 1, "sms", 2}, 3}
	f.Add(key.append())
	f.Add(key.SegmentKey.append(tableSegment))
	f.Add(linkKey("voice", 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := parseBatchKey(b); err == nil {
			require.Equal(t, b[1:], k.append()[1:])
		}
		if k, rest, err := parseSegmentKey(b); err == nil && len(b) > 0 {
			require.Equal(t, b[1:], append(k.append(b[0]), rest...)[1:])
		}
		if l, err := decodeLink(b, encodeNumber(1)); err == nil {
			require.Equal(t, b[1:], linkKey(l.Channel, l.Ordinal)[1:])
		}
	})
}

func TestKeysSortAsDrawn(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a-1/1/sms/2/3", BatchKey{SegmentKey{"a-1", 1, "sms", 2}, 3}.String())
	require.Equal(t, []byte{'b'}, after([]byte{'a'}))
	require.Equal(t, []byte{'b'}, after([]byte{'a', 0xff}))
	require.Nil(t, after([]byte{0xff}))
	_, err := parseOrdinal([]byte("abc"))
	require.ErrorIs(t, err, errKey)
}

func TestCorruptRowIsToldAndKept(t *testing.T) {
	t.Parallel()
	s := openMem(t, vfs.NewMem())
	put(t, s, somebody(rand.New(rand.NewPCG(1, 1)), "a"))
	for _, table := range []byte{tableParticipant, tablePlaces, tableContacts} {
		key := ordinalKey(table, 0)
		good, err := s.get(key)
		require.NoError(t, err)
		bad := append([]byte{version + 1}, good[1:]...)
		require.NoError(t, s.db.Set(key, bad, nil))
		_, err = s.Participant("a")
		var corrupt *CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, table, corrupt.Table)
		kept, err := s.get(key)
		require.NoError(t, err)
		require.Equal(t, bad, kept, "nothing is repaired")
		require.NoError(t, s.db.Set(key, good, nil))
	}
	// A row of one participant under the key of another does not open.
	put(t, s, somebody(rand.New(rand.NewPCG(2, 2)), "b"))
	other, err := s.get(ordinalKey(tableContacts, 1))
	require.NoError(t, err)
	require.NoError(t, s.db.Set(ordinalKey(tableContacts, 0), other, nil))
	_, err = s.Reach("sms", []uint32{0}, nil)
	require.ErrorAs(t, err, new(*CorruptError))
}
