package fanout

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/store"
)

// outside is what lies outside of a process that crashes: the provider, which
// remembers what it took, and what the caller was told.
type outside struct {
	mu      sync.Mutex
	keys    map[Phase]map[string]map[string]int // hand-overs by contact and key
	handed  int
	moment  int // the hand-over at which the power fails
	fail    func()
	crashed bool
	cut     context.CancelFunc // ends what waits in the process that crashed

	dir  string        // of the store. default: "data"
	sink channels.Sink // default: itself

	acknowledged func()
	enrolled     int    // acknowledged
	started      string // acknowledged action
	concluded    bool   // acknowledged
}

var errPower = errors.New("no power")

// Send takes a batch, unless the power has failed: then nothing gets out.
func (o *outside) Send(_ context.Context, b *channels.Batch) ([]channels.Answer, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.handed++; o.handed == o.moment && o.fail != nil {
		o.fail()
		o.crashed = true
		o.cut()
	}
	if o.crashed {
		return nil, errPower
	}
	o.note(b)
	return accept(b), nil
}

func (o *outside) note(b *channels.Batch) {
	phase := Phase(b.Phase)
	if o.keys == nil {
		o.keys = map[Phase]map[string]map[string]int{}
	}
	if o.keys[phase] == nil {
		o.keys[phase] = map[string]map[string]int{}
	}
	for _, r := range b.Recipients {
		to := r.To.Reveal()
		if o.keys[phase][to] == nil {
			o.keys[phase][to] = map[string]int{}
		}
		o.keys[phase][to][r.Key]++
	}
}

// repeated counts hand-overs beyond the first, and requires that each contact
// has one key.
func (o *outside) repeated(t *testing.T, phase Phase, note string) int {
	n := 0
	for to, keys := range o.keys[phase] {
		require.Len(t, keys, 1, "%s: one key each: %s", note, to[:4])
		for _, times := range keys {
			n += times - 1
		}
	}
	return n
}

func (o *outside) who(phase Phase) []string {
	var list []string
	for to := range o.keys[phase] {
		list = append(list, to)
	}
	slices.Sort(list)
	return list
}

const (
	crashPeople  = 60
	crashBatch   = 5
	crashWorkers = 3
)

func (o *outside) config() Config {
	return Config{Channels: map[string]Channel{channels.SMS: {Sink: cmp.Or[channels.Sink](o.sink, o), Batch: crashBatch, Workers: crashWorkers}}}
}

// story enrols people, starts an action and ends it, and notes what it was told.
func (o *outside) story(fs vfs.FS) error {
	st, err := store.Open(cmp.Or(o.dir, "data"), &store.Config{FS: fs, Key: testKey, Cache: 1 << 20})
	if err != nil {
		return err
	}
	eng, err := Open(context.Background(), st, o.config())
	if err != nil {
		return errors.Join(err, st.Close())
	}
	return errors.Join(o.act(eng), eng.Close(), st.Close())
}

func (o *outside) act(eng *Engine) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o.cut = cancel
	people := make([]store.Participant, crashPeople)
	for i := range people {
		people[i] = neighbour(i, float64(i+1))
	}
	if err := eng.Enrol(ctx, people...); err != nil {
		return err
	}
	o.tell(func() { o.enrolled = crashPeople })
	s, err := eng.Start(ctx, missing(500))
	if err != nil {
		return err
	}
	o.tell(func() { o.started = s.ID })
	for range eng.Events(ctx, s.ID, 1) { // until the crash, or half of it has left
		if o.half() {
			break
		}
	}
	if o.isDown() {
		return errPower
	}
	if _, err := eng.Conclude(ctx, s.ID, found); err != nil {
		return err
	}
	o.tell(func() { o.concluded = true })
	if o.isDown() {
		return errPower
	}
	return eng.Wait(ctx, s.ID)
}

// tell notes an acknowledgement, if there was power when it came.
func (o *outside) tell(note func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.crashed {
		return
	}
	note()
	if o.acknowledged != nil {
		o.acknowledged()
	}
}

func (o *outside) isDown() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.crashed
}

// half says whether it is time to end the action.
func (o *outside) half() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.crashed || o.handed >= crashPeople/crashBatch/2
}

// recover opens what the crash left and brings the action to its end.
func (o *outside) recover(t *testing.T, fs vfs.FS, note string) {
	ctx := context.Background()
	st, err := store.Open(cmp.Or(o.dir, "data"), &store.Config{FS: fs, Key: testKey, Cache: 1 << 20})
	if errors.Is(err, store.ErrTorn) && o.enrolled == 0 {
		return // it had not been made yet
	}
	require.NoError(t, err, note)
	defer func() { require.NoError(t, st.Close()) }()
	eng, err := Open(ctx, st, o.config())
	require.NoError(t, err, note)
	defer func() { require.NoError(t, eng.Close()) }()
	require.GreaterOrEqual(t, st.Stats().Participants, o.enrolled, note)
	var actions []State
	for s, err := range eng.Actions("") {
		require.NoError(t, err, note)
		actions = append(actions, s)
	}
	if o.started != "" {
		require.Len(t, actions, 1, note)
		require.Equal(t, o.started, actions[0].ID, note)
	}
	if len(actions) == 0 {
		require.Empty(t, o.who(Alert), "%s: nobody hears of an action that is not there", note)
		return
	}
	o.finish(t, eng, actions[0].ID, note)
}

func (o *outside) finish(t *testing.T, eng *Engine, id, note string) {
	ctx := context.Background()
	s, err := eng.Action(id)
	require.NoError(t, err, note)
	if o.concluded {
		require.Contains(t, []Status{Closing, Closed}, s.Status, "%s: an end that was promised", note)
	}
	if s.Status == Running {
		require.NoError(t, eng.Wait(ctx, id), note)
		require.Equal(t, numbers(crashPeople), o.who(Alert), "%s: nobody is lost", note)
		_, err := eng.Conclude(ctx, id, found)
		require.NoError(t, err, note)
	}
	require.NoError(t, eng.Wait(ctx, id), note)
	s, err = eng.Action(id)
	require.NoError(t, err, note)
	require.Equal(t, Closed, s.Status, note)
	o.mu.Lock()
	defer o.mu.Unlock()
	require.Subset(t, o.who(Ending), o.who(Alert), "%s: everyone who heard hears the end", note)
	bound := crashWorkers * crashBatch
	require.LessOrEqual(t, o.repeated(t, Alert, note), bound, note)
	require.LessOrEqual(t, o.repeated(t, Ending, note), bound, note)
	require.LessOrEqual(t, len(o.who(Ending))-len(o.who(Alert)), bound, "%s: only the unknown hear an end without a beginning", note)
}

// TestPowerFails cuts the power at random moments, with more or less of what was
// not synced on the disk, and goes on from there.
func TestPowerFails(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	cycles := 300
	if testing.Short() {
		cycles = 30
	}
	for cycle := range cycles {
		fs := vfs.NewCrashableMem()
		o := &outside{moment: 1 + r.IntN(2*crashPeople/crashBatch-4)}
		var after *vfs.MemFS
		o.fail = func() {
			after = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
		}
		err := o.story(fs)
		note := notef("seed %d, cycle %d, hand-over %d", seed, cycle, o.moment)
		if after == nil {
			require.NoError(t, err, note)
			continue
		}
		o.crashed, o.fail = false, nil
		o.recover(t, after, note)
	}
}
