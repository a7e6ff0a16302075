// Package bench makes up populations, and measures crier beside what one would
// use instead, in one run.
package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// Population is made-up people around the 150 largest Dutch towns, by their
// inhabitants: in streets, one in twelve with a second place, with contacts,
// windows and kinds in some 20,000 combinations. The same Population is always
// the same people. It is a plain value, safe for concurrent use.
type Population struct {
	People int
	Seed   uint64
}

// chunk is how many people are made at once, from a generator of their own.
const chunk = 4096

// All yields everybody, in order of ID.
func (p Population) All() iter.Seq[store.Participant] {
	return func(yield func(store.Participant) bool) {
		m := newMaker()
		for k := range p.chunks() {
			for _, who := range p.chunk(m, k) {
				if !yield(who) {
					return
				}
			}
		}
	}
}

func (p Population) chunks() int { return (p.People + chunk - 1) / chunk }

// chunk makes the people of a chunk.
func (p Population) chunk(m *maker, k int) []store.Participant {
	m.rand = rand.New(rand.NewPCG(p.Seed, uint64(k)))
	people := make([]store.Participant, min(chunk, p.People-k*chunk))
	var at street
	for i := range people {
		if i%peopleInStreet == 0 {
			at = m.street(m.town())
		}
		people[i] = m.person(k*chunk+i, at)
	}
	return people
}

// Write writes everybody as NDJSON, made on all cores. progress, if not nil, is
// told now and then how many have been written.
func (p Population) Write(ctx context.Context, w io.Writer, progress func(people int)) error {
	workers := runtime.GOMAXPROCS(0)
	done := make([]chan encoded, p.chunks())
	for k := range done {
		done[k] = make(chan encoded, 1)
	}
	slots := make(chan struct{}, 2*workers)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for k := range done {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			go func() { done[k] <- p.encode(k) }()
		}
	}()
	for k := range done {
		var e encoded
		select {
		case e = <-done[k]:
		case <-ctx.Done():
			return ctx.Err()
		}
		<-slots
		if e.err != nil {
			return e.err
		}
		if _, err := w.Write(e.lines); err != nil {
			return err
		}
		if progress != nil {
			progress(min(p.People, (k+1)*chunk))
		}
	}
	return nil
}

type encoded struct {
	lines []byte
	err   error
}

func (p Population) encode(k int) encoded {
	var out bytes.Buffer
	var err error
	people := p.chunk(newMaker(), k)
	for i := range people {
		err = errors.Join(err, json.MarshalWrite(&out, &people[i], json.Deterministic(true)))
		out.WriteByte('\n')
	}
	return encoded{out.Bytes(), err}
}

// Centers draws n positions where people live: what to ask about in a benchmark.
func (p Population) Centers(n int) []geoindex.Point {
	m := newMaker()
	m.rand = rand.New(rand.NewPCG(p.Seed, math.MaxUint64))
	centers := make([]geoindex.Point, n)
	for i := range centers {
		centers[i] = m.street(m.town()).at(0)
	}
	return centers
}

const (
	peopleInStreet = 24
	degreesPerKm   = 1 / 111.2 // of latitude
	// sigma is how far streets lie from a town's centre, in km by the root of its
	// thousands of inhabitants: some 5000 people live on a square kilometre.
	sigma = 0.125
)

// maker makes people. It is for one goroutine.
type maker struct {
	rand      *rand.Rand
	upTo      []int // inhabitants of the towns so far
	schedules []store.Schedule
}

func newMaker() *maker {
	m := &maker{schedules: schedules()}
	sum := 0
	for _, t := range towns {
		sum += t.thousands
		m.upTo = append(m.upTo, sum)
	}
	return m
}

// schedules are the windows that people choose from.
func schedules() []store.Schedule {
	var list []store.Schedule
	for from := 17 * 60; from <= 20*60; from += 15 {
		for to := 21 * 60; to <= 24*60; to += 15 {
			for _, weekend := range []string{"", "; Sa-Su 08:00-23:00", "; Sa-Su 09:30-22:00", "; Sa 10:00-24:00"} {
				text := fmt.Sprintf("Mo-Fr %02d:%02d-%02d:%02d%s", from/60, from%60, to/60, to%60, weekend)
				if s, err := store.ParseSchedule(text); err == nil {
					list = append(list, s)
				}
			}
		}
	}
	return list
}

// town draws one by its inhabitants.
func (m *maker) town() town {
	i, _ := slices.BinarySearch(m.upTo, 1+m.rand.IntN(m.upTo[len(m.upTo)-1]))
	return towns[i]
}

// street is a straight line of houses.
type street struct {
	lat, lng   float64
	dLat, dLng float64 // from house to house
}

func (m *maker) street(t town) street {
	spread := sigma * math.Sqrt(float64(t.thousands)) * degreesPerKm
	stretch := 1 / math.Cos(t.lat*math.Pi/180)
	angle := m.rand.Float64() * math.Pi
	const house = 0.008 * degreesPerKm // 8 m
	return street{
		lat: t.lat + m.rand.NormFloat64()*spread, lng: t.lng + m.rand.NormFloat64()*spread*stretch,
		dLat: house * math.Sin(angle), dLng: house * math.Cos(angle) * stretch,
	}
}

func (s street) at(house int) geoindex.Point {
	return geoindex.At(s.lat+float64(house)*s.dLat, s.lng+float64(house)*s.dLng)
}

func (s street) position(house int) *store.Position {
	at := s.at(house)
	return &store.Position{Lat: at.Lat, Lng: at.Lng}
}

// person makes somebody. Contacts are numbered, so that none is anybody's; a
// household shares its telephone.
func (m *maker) person(n int, at street) store.Participant {
	p := store.Participant{ID: fmt.Sprintf("p-%07d", n+1), Contacts: map[string]string{}}
	if m.chance(70) {
		p.Contacts[channels.SMS] = fmt.Sprintf("+316%08d", n)
	}
	if m.chance(25) {
		p.Contacts[channels.Voice] = fmt.Sprintf("+3110%07d", n/3)
	}
	if m.chance(45) || len(p.Contacts) == 0 {
		p.Contacts[channels.Email] = fmt.Sprintf("p%07d@example.nl", n+1)
	}
	if m.chance(35) {
		p.Contacts[channels.App] = fmt.Sprintf("fcm:token-%07d", n+1)
	}
	if m.chance(6) {
		p.Language = "en"
	}
	house := m.rand.IntN(80)
	p.Places = append(p.Places, m.place("home", at.position(house), p.Contacts))
	if m.chance(8) {
		p.Places = append(p.Places, m.place("work", m.street(m.town()).position(house), p.Contacts))
	}
	return p
}

func (m *maker) chance(percent int) bool { return m.rand.IntN(100) < percent }

// place is one of a person with these contacts.
func (m *maker) place(id string, at *store.Position, contacts map[string]string) store.Place {
	p := store.Place{ID: id, Point: at}
	for _, c := range []string{channels.App, channels.SMS, channels.Email, channels.Voice} {
		if contacts[c] != "" && (len(p.Channels) == 0 || m.chance(80)) {
			p.Channels = append(p.Channels, c)
		}
	}
	switch n := m.rand.IntN(100); {
	case n < 8:
		p.Kinds = []string{"missing"}
	case n < 20:
		p.Kinds = []string{"missing", "wanted"}
	}
	p.Schedule = m.schedules[m.rand.IntN(len(m.schedules))]
	if m.chance(45) {
		p.Schedule = store.Always()
	}
	return p
}
