package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/crierd/crier/internal/wire"
)

// ErrNotEmpty says that a store has, or had, participants: a [Bulk] fills only a
// new one.
var ErrNotEmpty = errors.New("store: not empty")

// Bulk fills an empty store with participants at once: sorted, so that those who
// live near each other lie together in the database and have neighbouring
// ordinals, and all or nothing. On 2.4 M participants it is some ten times
// quicker than Updates, and contacts of a neighbourhood are read in sequence.
//
// What is added is kept in memory in the form of the database, some 250 bytes a
// participant, in the clear until it is sealed at Finish.
type Bulk struct {
	store *Store
	order func(lat, lng int32) uint32

	mu       sync.Mutex // guards the rest
	arena    [][]byte
	items    []bulkItem
	owners   []bulkOwner
	channels []string
	classes  [][]byte
	numbers  map[string]uint32
}

// bulkItem says where the rows of a participant lie in the arena: participant,
// places, contacts, one behind the other.
type bulkItem struct {
	line                    int
	order                   uint32
	chunk, at               uint32
	person, places, contact uint32 // lengths
	dropped                 bool
}

// bulkOwner says that an item has a contact.
type bulkOwner struct {
	hash    [16]byte
	channel uint8 // in Bulk.channels
	item    uint32
}

// BulkReport counts what became of what was added.
type BulkReport struct {
	Created  int
	Replaced int // whose ID was added again with a higher line number: the highest counts
	Rejects  []Reject
}

// Reject is a participant that was left out, and why.
type Reject struct {
	Line   int
	ID     string
	Reason string
}

const arenaChunk = 1 << 20

// Bulk begins to fill the store, or says [ErrNotEmpty]. order ranks positions
// such that near ones are near in rank.
func (s *Store) Bulk(order func(lat, lng int32) uint32) (*Bulk, error) {
	s.write.Lock()
	defer s.write.Unlock()
	switch {
	case s.closed.Load():
		return nil, ErrClosed
	case s.state.Next > 0:
		return nil, ErrNotEmpty
	}
	return &Bulk{store: s, order: order, numbers: map[string]uint32{}}, nil
}

// Add takes in a validated participant, of which it keeps nothing. line says
// which comes later, of two with the same ID, and which comes first, of two who
// claim the same contact. It is safe for concurrent use.
func (b *Bulk) Add(line int, p *Participant, classify Classify) error {
	classes := classify(p)
	person := appendParticipant(make([]byte, 0, 256), p)
	contacts := appendContacts(make([]byte, 0, 128), p)
	type owned struct {
		channel string
		hash    []byte
	}
	owns := make([]owned, 0, 4)
	for channel, contact := range p.Contacts {
		owns = append(owns, owned{channel, b.store.seals.hash(channel, contact)})
	}
	item := bulkItem{line: line, person: uint32(len(person)), contact: uint32(len(contacts))}
	if at := p.firstPoint(); at != nil {
		item.order = b.order(at.Lat, at.Lng)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var places []PlaceRow
	for i := range p.Places {
		if at := p.Places[i].Point; at != nil {
			places = append(places, PlaceRow{Lat: at.Lat, Lng: at.Lng, Class: b.intern(classes[i])})
		}
	}
	row := encodePlaces(places)
	item.places = uint32(len(row))
	item.chunk, item.at = b.keep(person, row, contacts)
	for _, own := range owns {
		channel, err := b.channel(own.channel)
		if err != nil {
			return err
		}
		b.owners = append(b.owners, bulkOwner{[16]byte(own.hash), channel, uint32(len(b.items))})
	}
	b.items = append(b.items, item)
	return nil
}

func (p *Participant) firstPoint() *Position {
	for i := range p.Places {
		if p.Places[i].Point != nil {
			return p.Places[i].Point
		}
	}
	return nil
}

func (b *Bulk) intern(class []byte) uint32 {
	n, ok := b.numbers[string(class)]
	if !ok {
		n = uint32(len(b.classes))
		b.classes = append(b.classes, bytes.Clone(class))
		b.numbers[string(class)] = n
	}
	return n
}

// keep puts the parts behind each other in the arena.
func (b *Bulk) keep(parts ...[]byte) (chunk, at uint32) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	n := len(b.arena)
	if n == 0 || cap(b.arena[n-1])-len(b.arena[n-1]) < size {
		b.arena = append(b.arena, make([]byte, 0, max(arenaChunk, size)))
		n++
	}
	last := &b.arena[n-1]
	at = uint32(len(*last))
	for _, p := range parts {
		*last = append(*last, p...)
	}
	return uint32(n - 1), at
}

// channel numbers the channels in use.
func (b *Bulk) channel(name string) (uint8, error) {
	if i := slices.Index(b.channels, name); i >= 0 {
		return uint8(i), nil
	}
	if len(b.channels) == math.MaxUint8 {
		return 0, fmt.Errorf("store: more than %d channels", math.MaxUint8)
	}
	b.channels = append(b.channels, name)
	return uint8(len(b.channels) - 1), nil
}

// rows are the three values of an item.
func (b *Bulk) rows(it *bulkItem) (person, places, contacts []byte) {
	all := b.arena[it.chunk][it.at : it.at+it.person+it.places+it.contact]
	return all[:it.person], all[it.person : it.person+it.places], all[it.person+it.places:]
}

// id reads an item's ID out of its row.
func (b *Bulk) id(it *bulkItem) []byte {
	person, _, _ := b.rows(it)
	r := wire.Reader{Rest: person[1:]}
	return r.Bytes(r.Uvarint(maxID))
}

// Finish writes all that was added, or nothing: when it returns without an error
// everything is durable, and the audit record with it. [ErrNotEmpty] if others
// enrolled people meanwhile.
func (b *Bulk) Finish(ctx context.Context, audit AuditRecord) (BulkReport, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var report BulkReport
	byID := b.unique(&report)
	b.settle(&report)
	ordinals := b.number()
	byID = slices.DeleteFunc(byID, func(i uint32) bool { return b.items[i].dropped })
	report.Created = len(byID)
	s := b.store
	s.write.Lock()
	defer s.write.Unlock()
	switch {
	case s.closed.Load():
		return BulkReport{}, ErrClosed
	case s.state.Next > 0:
		return BulkReport{}, ErrNotEmpty
	case len(byID) == 0:
		return report, ctx.Err()
	}
	if err := b.ingest(ctx, byID, ordinals, audit); err != nil {
		return BulkReport{}, err
	}
	return report, nil
}

// Close gives the memory back. Without a Finish before it nothing was written.
func (b *Bulk) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arena, b.items, b.owners, b.classes, b.numbers = nil, nil, nil, nil, nil
}

// unique drops all but the last of each ID, and lists the items by ID.
func (b *Bulk) unique(report *BulkReport) []uint32 {
	list := make([]uint32, len(b.items))
	for i := range list {
		list[i] = uint32(i)
	}
	sorted(list, func(x, y uint32) int {
		a, c := &b.items[x], &b.items[y]
		return cmp.Or(bytes.Compare(b.id(a), b.id(c)), cmp.Compare(a.line, c.line))
	})
	for i := range list[:max(0, len(list)-1)] {
		it := &b.items[list[i]]
		if bytes.Equal(b.id(it), b.id(&b.items[list[i+1]])) {
			it.dropped = true
			report.Replaced++
		}
	}
	return list
}

// settle sorts the contacts and drops who claims an exclusive one after somebody
// else who stays.
func (b *Bulk) settle(report *BulkReport) {
	b.owners = slices.DeleteFunc(b.owners, func(o bulkOwner) bool { return b.items[o.item].dropped })
	sorted(b.owners, func(x, y bulkOwner) int {
		return cmp.Or(cmp.Compare(x.channel, y.channel), bytes.Compare(x.hash[:], y.hash[:]), cmp.Compare(b.items[x.item].line, b.items[y.item].line))
	})
	contested := map[uint32][]int{} // by item: its contested contacts, by the first position in owners
	for first := range b.owners {
		if o := b.owners[first]; exclusive(b.channels[o.channel]) && !b.follows(first) {
			for at := first + 1; b.follows(at); at++ {
				contested[b.owners[at].item] = append(contested[b.owners[at].item], first)
				contested[o.item] = append(contested[o.item], first)
			}
		}
	}
	claimants := make([]uint32, 0, len(contested))
	for item := range contested {
		claimants = append(claimants, item)
	}
	slices.SortFunc(claimants, func(x, y uint32) int { return cmp.Compare(b.items[x].line, b.items[y].line) })
	owner := map[int]uint32{}
	for _, item := range claimants {
		lost := slices.IndexFunc(contested[item], func(c int) bool { o, ok := owner[c]; return ok && o != item })
		if lost >= 0 {
			it := &b.items[item]
			it.dropped = true
			conflict := ConflictError{Channel: b.channels[b.owners[contested[item][lost]].channel]}
			report.Rejects = append(report.Rejects, Reject{it.line, string(b.id(it)), conflict.Error()})
			continue
		}
		for _, c := range contested[item] {
			owner[c] = item
		}
	}
	b.owners = slices.DeleteFunc(b.owners, func(o bulkOwner) bool { return b.items[o.item].dropped })
}

// follows says whether owners[at] is of the same contact as the one before it.
func (b *Bulk) follows(at int) bool {
	if at == 0 || at >= len(b.owners) {
		return false
	}
	x, y := &b.owners[at-1], &b.owners[at]
	return x.channel == y.channel && x.hash == y.hash
}

// number gives the items that stay their ordinals: neighbours neighbouring ones.
// It leaves the items by ordinal in the first list, and the ordinals by item in
// the second.
func (b *Bulk) number() numbering {
	n := numbering{of: make([]Ordinal, len(b.items))}
	for i := range b.items {
		if !b.items[i].dropped {
			n.items = append(n.items, uint32(i))
		}
	}
	sorted(n.items, func(x, y uint32) int {
		a, c := &b.items[x], &b.items[y]
		return cmp.Or(cmp.Compare(a.order, c.order), cmp.Compare(a.line, c.line))
	})
	for o, item := range n.items {
		n.of[item] = Ordinal(o)
	}
	return n
}

// numbering is who has which ordinal.
type numbering struct {
	items []uint32  // by ordinal
	of    []Ordinal // by item
}

// sorted sorts on two cores: halves at once, then merged.
func sorted[T any](list []T, compare func(x, y T) int) {
	if len(list) < 1<<14 {
		slices.SortFunc(list, compare)
		return
	}
	half := len(list) / 2
	left, right := slices.Clone(list[:half]), list[half:]
	var group sync.WaitGroup
	group.Go(func() { slices.SortFunc(left, compare) })
	slices.SortFunc(right, compare)
	group.Wait()
	for at := 0; len(left) > 0; at++ { // the gap before right is as long as what is left of left
		if len(right) > 0 && compare(right[0], left[0]) < 0 {
			list[at], right = right[0], right[1:]
			continue
		}
		list[at], left = left[0], left[1:]
	}
}
