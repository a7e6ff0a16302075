package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A bulk load writes its rows, sorted, as tables of the database's own format,
// and then hands all of them over in one step that is on disk whole or not at
// all. Files that a crash left behind are removed at the next Open.
const ingestFile = "bulk-"

// tableSize is where a new file is begun, in bytes: small enough for later
// merges to touch only what they must.
const tableSize = 64 << 20

// fileWriter writes sorted rows into files.
type fileWriter struct {
	store *Store
	name  string
	paths []string
	file  *sstable.Writer
	err   error // the first; nothing is written after
}

// set writes a row; keys must ascend.
func (w *fileWriter) set(key, value []byte) {
	if w.err != nil {
		return
	}
	if w.file == nil {
		if w.err = w.begin(); w.err != nil {
			return
		}
	}
	if w.err = w.file.Set(key, value); w.err == nil && w.file.Raw().EstimatedSize() > tableSize {
		w.end()
	}
}

func (w *fileWriter) begin() error {
	s := w.store
	path := s.config.FS.PathJoin(s.dir.path, fmt.Sprintf("%s%s-%d.sst", ingestFile, w.name, len(w.paths)))
	f, err := s.config.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w.paths = append(w.paths, path)
	w.file = sstable.NewWriter(objstorageprovider.NewFileWritable(f), s.tables.MakeWriterOptions(6, s.db.TableFormat()))
	return nil
}

// end syncs the file under way.
func (w *fileWriter) end() {
	if w.file != nil {
		w.err = errors.Join(w.err, w.file.Close())
		w.file = nil
	}
}

// ingest writes all tables, two at a time, and takes them in. The writer lock
// is held.
func (b *Bulk) ingest(ctx context.Context, byID []uint32, n numbering, audit AuditRecord) error {
	state := b.state(n, audit)
	parts := []func(*fileWriter){
		func(w *fileWriter) { b.writeContacts(ctx, w, n) },
		func(w *fileWriter) { b.writeOwners(w, n, &state) }, // counts groups: state is written last
		func(w *fileWriter) { b.writePeople(w, n) },
		func(w *fileWriter) { b.writePlaces(w, n) },
		func(w *fileWriter) { b.writeIDs(w, byID, n) },
		func(w *fileWriter) { b.writeChanges(w, n) },
		func(w *fileWriter) { b.writeClasses(w) },
		func(w *fileWriter) { w.set(sequenceKey(tableAudit, state.Audited-1), b.audited(audit)) },
	}
	writers := make([]*fileWriter, 0, len(parts)+1)
	var group sync.WaitGroup
	slots := make(chan struct{}, 2)
	for i, write := range parts {
		w := &fileWriter{store: b.store, name: fmt.Sprint(i)}
		writers = append(writers, w)
		slots <- struct{}{}
		group.Go(func() {
			write(w)
			w.end()
			<-slots
		})
	}
	group.Wait()
	last := &fileWriter{store: b.store, name: "state"}
	last.set(textKey(tableMeta, "state"), state.encode())
	last.end()
	err := ctx.Err()
	var paths []string
	for _, w := range append(writers, last) {
		paths = append(paths, w.paths...)
		err = errors.Join(err, w.err)
	}
	if err == nil {
		err = b.store.db.Ingest(ctx, paths)
	}
	if err != nil {
		return errors.Join(err, b.store.removeLeftovers())
	}
	b.adopt(state)
	return nil
}

// state counts what is about to be there.
func (b *Bulk) state(n numbering, audit AuditRecord) state {
	state := b.store.state.clone()
	state.Next = Ordinal(len(n.items))
	state.Sequence += uint64(len(n.items))
	state.Participants = len(n.items)
	for _, item := range n.items {
		person, _, _ := b.rows(&b.items[item])
		state.Places += placeCount(person)
	}
	for _, o := range b.owners {
		state.Contacts[b.channels[o.channel]]++
	}
	head := sha256.Sum256(b.audited(audit))
	state.Audited++
	state.Head = head[:]
	return state
}

// placeCount reads how many places a participant's row has.
func placeCount(person []byte) int {
	r := open(person)
	for range 3 { // ID, language, time zone
		r.Bytes(r.Uvarint(maxID))
	}
	return int(r.Uvarint(maxPlaces))
}

// audited is the audit record as it is kept.
func (b *Bulk) audited(r AuditRecord) []byte {
	return r.append(append([]byte{version}, b.store.state.Head...))
}

// adopt takes over in memory what was taken in on disk.
func (b *Bulk) adopt(state state) {
	s := b.store
	s.state = state
	s.next.Store(uint32(state.Next))
	s.mu.Lock()
	s.classes = append(s.classes, b.classes...)
	for text, number := range b.numbers {
		s.classIDs[text] = number
	}
	s.mu.Unlock()
	s.sequence.Store(state.Sequence)
}

// removeLeftovers removes what a bulk load that failed has left.
func (s *Store) removeLeftovers() error {
	names, err := s.config.FS.List(s.dir.path)
	for _, name := range names {
		if strings.HasPrefix(name, ingestFile) {
			err = errors.Join(err, s.config.FS.Remove(s.config.FS.PathJoin(s.dir.path, name)))
		}
	}
	return err
}

func (b *Bulk) writePeople(w *fileWriter, n numbering) {
	for o, item := range n.items {
		person, _, _ := b.rows(&b.items[item])
		w.set(ordinalKey(tableParticipant, Ordinal(o)), person)
	}
}

func (b *Bulk) writePlaces(w *fileWriter, n numbering) {
	for o, item := range n.items {
		_, places, _ := b.rows(&b.items[item])
		w.set(ordinalKey(tablePlaces, Ordinal(o)), places)
	}
}

// writeContacts seals on the way.
func (b *Bulk) writeContacts(ctx context.Context, w *fileWriter, n numbering) {
	for o, item := range n.items {
		_, _, contacts := b.rows(&b.items[item])
		sealed, err := b.store.seals.seal(Ordinal(o), contacts)
		if w.err = errors.Join(w.err, err, ctx.Err()); w.err != nil {
			return
		}
		w.set(ordinalKey(tableContacts, Ordinal(o)), sealed)
	}
}

func (b *Bulk) writeIDs(w *fileWriter, byID []uint32, n numbering) {
	for _, item := range byID {
		w.set(append([]byte{tableID}, b.id(&b.items[item])...), encodeNumber(uint32(n.of[item])))
	}
}

func (b *Bulk) writeChanges(w *fileWriter, n numbering) {
	first := b.store.state.Sequence + 1
	for o := range n.items {
		w.set(sequenceKey(tableChange, first+uint64(o)), encodeNumber(uint32(o)))
	}
}

// writeClasses begins at number 0: a store without participants has no classes
// unless it had participants, and then it cannot be filled.
func (b *Bulk) writeClasses(w *fileWriter) {
	for i, class := range b.classes {
		w.set(ordinalKey(tableClass, Ordinal(i)), append([]byte{version}, class...))
	}
}

// contact is the items of one contact: owners[from:to].
type contact struct{ from, to int }

// contactsOf lists the contacts of a channel, in order of hash.
func (b *Bulk) contactsOf(channel string) iter.Seq[contact] {
	number := uint8(slices.Index(b.channels, channel))
	from, _ := slices.BinarySearchFunc(b.owners, number, func(o bulkOwner, c uint8) int { return int(o.channel) - int(c) })
	return func(yield func(contact) bool) {
		for at := from; at < len(b.owners) && b.owners[at].channel == number; {
			c := contact{at, at + 1}
			for b.follows(c.to) {
				c.to++
			}
			if !yield(c) {
				return
			}
			at = c.to
		}
	}
}

// writeOwners links those who share a contact, and then writes who has which:
// links sort before owners.
func (b *Bulk) writeOwners(w *fileWriter, n numbering, state *state) {
	names := slices.Sorted(slices.Values(b.channels))
	groups := map[int]uint32{} // of shared contacts, by their first position in b.owners
	for _, channel := range names {
		var links []Link
		for c := range b.contactsOf(channel) {
			if c.to-c.from < 2 {
				continue
			}
			state.Group++
			groups[c.from] = state.Group
			for _, o := range b.owners[c.from:c.to] {
				links = append(links, Link{Channel: channel, Ordinal: n.of[o.item], Group: state.Group})
			}
		}
		slices.SortFunc(links, func(x, y Link) int { return cmp.Compare(x.Ordinal, y.Ordinal) })
		for _, l := range links {
			w.set(linkKey(channel, l.Ordinal), encodeNumber(l.Group))
		}
	}
	for _, channel := range names {
		for c := range b.contactsOf(channel) {
			own := owners{group: groups[c.from]}
			for _, o := range b.owners[c.from:c.to] {
				own.ordinals = append(own.ordinals, n.of[o.item])
			}
			w.set(ownerKey(channel, b.owners[c.from].hash[:]), own.encode())
		}
	}
}
