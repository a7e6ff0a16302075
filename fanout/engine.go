package fanout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// Engine decides who hears of an action and drives the sending. [Open] is the
// only way to one. All its methods are safe for concurrent use.
type Engine struct {
	store      *store.Store
	cfg        Config
	index      geoindex.Index
	ordinals   atomic.Uint32 // all in use are below
	zones      *zones
	classes    *classes
	links      links
	selections sync.Pool
	events     *broker
	metrics    metrics
	lanes      map[string]*lane // one a channel; never changed after Open

	working sync.WaitGroup // workers and finishers
	taking  context.Context
	stop    context.CancelFunc // ends taking
	sending context.Context
	abort   context.CancelFunc // ends sending
	failure atomic.Pointer[error]
	closing sync.Once

	mu       sync.Mutex      // guards the rest; before lane.mu and run.mu
	runs     map[string]*run // live actions
	watchers int             // actions being planned
	touched  *roaring.Bitmap // participants changed while actions run: judged again at hand-over
}

// Open loads the index from st, resumes what was running and starts the lanes.
// It returns when the engine answers and sends. st stays the caller's, and must
// stay open until Close has returned.
func Open(ctx context.Context, st *store.Store, config Config) (*Engine, error) {
	cfg := config.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("fanout: config: %w", err)
	}
	z := &zones{network: cfg.Timezone}
	e := &Engine{
		store: st, cfg: cfg, zones: z, classes: newClasses(z), events: newBroker(cfg.Now()),
		lanes: map[string]*lane{}, runs: map[string]*run{}, touched: roaring.New(),
	}
	e.selections.New = func() any { return new(selection) }
	e.taking, e.stop = context.WithCancel(context.Background())
	e.sending, e.abort = context.WithCancel(context.Background())
	for name, c := range cfg.Channels {
		e.lanes[name] = newLane(e, name, c)
	}
	if err := e.load(ctx); err != nil {
		return nil, fmt.Errorf("fanout: load: %w", err)
	}
	if err := e.resume(ctx); err != nil {
		return nil, fmt.Errorf("fanout: resume: %w", err)
	}
	for _, l := range e.lanes {
		for range l.config.Workers {
			e.working.Go(func() { newWorker(l).run(e.taking, e.sending) })
		}
	}
	return e, nil
}

// Close stops taking batches, waits for those under way as long as Config.Drain,
// and records their answers. Running actions go on at the next Open. Closing
// twice is harmless.
func (e *Engine) Close() error {
	e.closing.Do(func() {
		e.mu.Lock() // nothing is begun after this: see spawn
		e.stop()
		e.mu.Unlock()
		patience := time.AfterFunc(e.cfg.Drain, e.abort)
		e.working.Wait()
		patience.Stop()
		e.abort()
		e.events.close()
	})
	return e.Err()
}

// spawn begins work that Close waits for, or says that the engine is closed.
func (e *Engine) spawn(work func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(); err != nil {
		return err
	}
	e.working.Go(work)
	return nil
}

// Err is the first error that stopped a lane: the store took no more writes.
// While it is not nil nothing more is sent; a new process resumes.
func (e *Engine) Err() error {
	if err := e.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// fail keeps the first failure and stops the lanes.
func (e *Engine) fail(err error) {
	if e.failure.CompareAndSwap(nil, &err) {
		e.cfg.Logger.Error("sending stops", "error", err)
	}
	e.stop()
	e.abort() // their answers could not be recorded
	e.events.close()
}

// load reads the index, the classes and the shared contacts.
func (e *Engine) load(ctx context.Context) error {
	if err := e.classes.grow(e.store); err != nil {
		return err
	}
	for link, err := range e.store.Links() {
		if err != nil {
			return err
		}
		e.links.apply([]store.Link{link})
	}
	var mu sync.Mutex // guards the two below; Index calls from several goroutines
	var entries []geoindex.Entry
	top := uint32(0)
	err := e.store.Index(func(chunk []store.IndexRow) error {
		part := make([]geoindex.Entry, 0, len(chunk)+len(chunk)/8)
		last := uint32(0)
		for _, row := range chunk {
			part = appendEntries(part, row.Ordinal, row.Places)
			last = max(last, uint32(row.Ordinal))
		}
		mu.Lock()
		defer mu.Unlock()
		entries = append(entries, part...)
		top = max(top, last+1)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	e.ordinals.Store(top)
	e.index.Load(entries)
	return nil
}

// appendEntries makes the index entries of a participant's places.
func appendEntries(dst []geoindex.Entry, ordinal store.Ordinal, places []store.PlaceRow) []geoindex.Entry {
	key := uint32(ordinal)
	if len(places) > 1 {
		key |= geoindex.Several
	}
	for _, p := range places {
		dst = append(dst, geoindex.Entry{Point: geoindex.Point{Lat: p.Lat, Lng: p.Lng}, Key: key, Class: p.Class})
	}
	return dst
}

// publish shows committed changes in the index. The store calls it in commit
// order, one at a time.
func (e *Engine) publish(changes []store.Change) {
	if err := e.classes.grow(e.store); err != nil {
		e.fail(err) // a class that this program wrote itself cannot be read back
		return
	}
	e.mu.Lock()
	for _, c := range changes {
		if !c.Created && (len(e.runs) > 0 || e.watchers > 0) {
			e.touched.Add(uint32(c.Ordinal))
		}
	}
	e.mu.Unlock()
	for _, c := range changes {
		e.links.apply(c.Links)
		e.ordinals.Store(max(e.ordinals.Load(), uint32(c.Ordinal)+1))
	}
	e.index.Update(func(edit *geoindex.Edit) {
		for _, c := range changes {
			for _, entry := range appendEntries(nil, c.Ordinal, c.Before) {
				edit.Remove(entry)
			}
			for _, entry := range appendEntries(nil, c.Ordinal, c.After) {
				edit.Add(entry)
			}
		}
	})
}

// again judges a recipient once more at hand-over: a window may have closed, a
// place been given up. The zero result says that the message may go.
func (e *Engine) again(t *track, ordinal uint32, now time.Time) (result, error) {
	if !t.Binds || !e.stale(t, ordinal, now) {
		return result{}, nil
	}
	places, err := e.store.Places(store.Ordinal(ordinal))
	if err != nil {
		return result{}, err
	}
	table, kind := e.classes.table.Load(), t.action().Kind.bit()
	why := result{Withdrawn, reasonChanged}
	for _, p := range places {
		c := &table.classes[p.Class]
		uses := slices.ContainsFunc([]byte(table.routes[c.route]), func(n byte) bool { return table.channels[n] == t.Channel })
		if !uses || c.kinds&kind == 0 || !t.run.shape.Contains(geoindex.Point{Lat: p.Lat, Lng: p.Lng}) {
			continue
		}
		w := &table.windows[c.window]
		if w.schedule.Open(now.In(w.zone)) {
			return result{}, nil
		}
		why = result{Expired, reasonWindow}
	}
	return why, nil
}

// stale says whether what the plan knew of a recipient may no longer hold.
func (e *Engine) stale(t *track, ordinal uint32, now time.Time) bool {
	if !t.Holds.IsZero() && !now.Before(t.Holds) {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.touched.Contains(ordinal)
}

// recorded takes in a batch whose entry is in the ledger.
func (e *Engine) recorded(l *lane, a *answered) {
	t := a.track
	t.run.mu.Lock()
	t.count(a.before, a.after)
	t.out--
	again := a.after.open() > 0 && !t.stopped
	if again {
		t.retries++
	}
	done := t.run.done()
	t.run.notify()
	t.run.mu.Unlock()

	e.metrics.record(l.name, a.before, a.after)
	e.events.publish(Event{At: a.after.At, Action: t.Action, Type: "batch", Batch: newBatchEvent(a)})
	if again {
		l.later(&retry{track: t, number: a.number, before: a.after, due: a.due})
	}
	if done {
		e.finish(t.run)
	}
}

// IndexSize is how many places the index holds, and in how many bytes.
func (e *Engine) IndexSize() (places, bytes int) {
	s := e.index.Snapshot()
	return s.Len(), s.Bytes()
}

// live finds a live action.
func (e *Engine) live(id string) (*run, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.runs[id]
	return r, ok
}

// running lists the live actions by ID.
func (e *Engine) running() []*run {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []*run
	for _, id := range slices.Sorted(maps.Keys(e.runs)) {
		list = append(list, e.runs[id])
	}
	return list
}

// signal makes every lane look again.
func (e *Engine) signal() {
	for _, l := range e.lanes {
		l.signal()
	}
}

// open says whether the engine still takes changes.
func (e *Engine) open() error {
	if e.taking.Err() != nil {
		return errors.Join(ErrClosed, e.Err())
	}
	return nil
}
