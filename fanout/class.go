package fanout

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crierd/crier/store"
)

// A class is all that decides whether a place is told, apart from where it is:
// the schedule and its time zone, the kinds it wants, and the channels it
// prefers for which the participant has a contact. Millions of places share
// some ten thousand classes, so a query judges a class once and then only
// looks the verdict up (judge.go).
//
// In the store a class is text: zone, schedule, kinds and channels, a line
// each, lists separated by commas. Equal classes are equal text. No zone is the
// network's, whichever that is when the class is read.

// classOf makes the class of each of p's places, for the store to intern.
// Channels without a contact are left out: a place with none left is still in
// the index, so that a preview can count it.
func classOf(p *store.Participant) [][]byte {
	values := make([][]byte, len(p.Places))
	for i := range p.Places {
		place := &p.Places[i]
		b := make([]byte, 0, 96)
		b = append(append(b, p.Timezone...), '\n')
		b = append(append(b, place.Schedule.String()...), '\n')
		for k, kind := range kinds {
			if wants(place.Kinds, kind) {
				b = append(b, '0'+byte(k))
			}
		}
		b = append(b, '\n')
		for _, channel := range place.Channels {
			if p.Contacts[channel] != "" {
				b = append(append(b, channel...), ',')
			}
		}
		values[i] = b
	}
	return values
}

// wants says whether a place's list of kinds has kind; no list is all kinds.
func wants(list []string, kind Kind) bool {
	for _, k := range list {
		if Kind(k) == kind {
			return true
		}
	}
	return len(list) == 0
}

// maxPreferences is how many channels a place may prefer.
const maxPreferences = 8

// A class is eight bytes, so that the table of all stays in the cache.
type class struct {
	window uint32 // in classTable.windows
	route  uint16 // in classTable.routes
	kinds  uint8  // bits as Kind.bit
}

// route is the channels that a place prefers, as numbers in classTable.channels, in
// order of preference.
type route string

type window struct {
	schedule store.Schedule
	zone     *time.Location
}

// classTable is every class, by the store's number. Readers load it once and
// keep it: the table only grows, and a longer one is published whole.
type classTable struct {
	classes  []class
	windows  []window
	routes   []route
	channels []string
}

// classes holds the current table. Only its grow is not safe for concurrent
// use; the store's writer lock guards it.
type classes struct {
	table   atomic.Pointer[classTable]
	windows map[string]uint32 // by zone and schedule
	zones   *zones
	routes  map[route]uint16
	names   map[string]uint8
}

func newClasses(z *zones) *classes {
	c := &classes{windows: map[string]uint32{}, zones: z, routes: map[route]uint16{}, names: map[string]uint8{}}
	c.table.Store(&classTable{})
	return c
}

// grow takes in the classes that the store has interned since.
func (c *classes) grow(st *store.Store) error {
	old := c.table.Load()
	n := st.Classes()
	if n == len(old.classes) {
		return nil
	}
	t := &classTable{classes: old.classes, windows: old.windows, routes: old.routes, channels: old.channels}
	for id := len(old.classes); id < n; id++ {
		parsed, err := c.parse(t, string(st.Class(uint32(id))))
		if err != nil {
			return fmt.Errorf("class %d: %w", id, err)
		}
		t.classes = append(t.classes, parsed)
	}
	c.table.Store(t)
	return nil
}

func (c *classes) parse(t *classTable, value string) (class, error) {
	lines := strings.Split(value, "\n")
	if len(lines) != 4 {
		return class{}, fmt.Errorf("%d lines, not 4: the store was written by something else", len(lines))
	}
	w, err := c.window(t, lines[0], lines[1])
	if err != nil {
		return class{}, err
	}
	parsed := class{window: w}
	for _, k := range []byte(lines[2]) {
		if int(k-'0') >= len(kinds) {
			return class{}, fmt.Errorf("unknown kind %q", k)
		}
		parsed.kinds |= 1 << (k - '0')
	}
	parsed.route, err = c.route(t, lines[3])
	return parsed, err
}

// route interns a list of channels, each with a comma behind it.
func (c *classes) route(t *classTable, list string) (uint16, error) {
	var numbers []byte
	for name := range strings.SplitSeq(strings.TrimSuffix(list, ","), ",") {
		if name == "" {
			continue
		}
		number, err := c.channel(t, name)
		if err != nil {
			return 0, err
		}
		numbers = append(numbers, number)
	}
	id, ok := c.routes[route(numbers)]
	if !ok {
		if len(t.routes) > math.MaxUint16 {
			return 0, fmt.Errorf("more than %d orders of channels are in use", math.MaxUint16+1)
		}
		id = uint16(len(t.routes))
		t.routes = append(t.routes, route(numbers))
		c.routes[route(numbers)] = id
	}
	return id, nil
}

func (c *classes) window(t *classTable, zone, schedule string) (uint32, error) {
	key := zone + "\n" + schedule
	if id, ok := c.windows[key]; ok {
		return id, nil
	}
	parsed, err := store.ParseSchedule(schedule)
	if err != nil {
		return 0, err
	}
	loc, err := c.zones.load(zone)
	if err != nil {
		return 0, err
	}
	id := uint32(len(t.windows))
	t.windows = append(t.windows, window{schedule: parsed, zone: loc})
	c.windows[key] = id
	return id, nil
}

func (c *classes) channel(t *classTable, name string) (uint8, error) {
	if number, ok := c.names[name]; ok {
		return number, nil
	}
	if len(t.channels) == 255 {
		return 0, fmt.Errorf("more than 255 channels are in use")
	}
	number := uint8(len(t.channels))
	t.channels = append(t.channels, name)
	c.names[name] = number
	return number, nil
}

// zones loads time zones once each. It is safe for concurrent use.
type zones struct {
	network string
	loaded  sync.Map // *time.Location by name
}

// load finds a zone by its IANA name, the network's if that is "".
func (z *zones) load(name string) (*time.Location, error) {
	name = cmp.Or(name, z.network)
	if loc, ok := z.loaded.Load(name); ok {
		return loc.(*time.Location), nil
	}
	if name == "Local" {
		return nil, errors.New("the time zone of this machine is nobody's")
	}
	loc, err := time.LoadLocation(name)
	if err == nil {
		z.loaded.Store(name, loc)
	}
	return loc, err
}
