package fanout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

func TestMain(m *testing.M) {
	if os.Getenv("CRIER_TEST_FAULT") != "" {
		faultyAction()
		return
	}
	goleak.VerifyTestMain(m)
}

var (
	testKey = []byte("0123456789abcdef0123456789abcdef")
	dam     = geoindex.At(52.3731, 4.8926)
)

// provider is a sink that remembers everything, and answers as it is told.
type provider struct {
	mu      sync.Mutex
	batches []channels.Batch
	seen    map[string]int                                                          // hand-overs by key and text
	answer  func(ctx context.Context, b *channels.Batch) ([]channels.Answer, error) // default: accepts
}

func (p *provider) Send(ctx context.Context, b *channels.Batch) ([]channels.Answer, error) {
	p.mu.Lock()
	kept := *b
	kept.Recipients = slices.Clone(b.Recipients)
	p.batches = append(p.batches, kept)
	if p.seen == nil {
		p.seen = map[string]int{}
	}
	for _, r := range b.Recipients {
		p.seen[r.Key]++
	}
	answer := p.answer
	p.mu.Unlock()
	if answer != nil {
		return answer(ctx, b)
	}
	return accept(b), nil
}

func accept(b *channels.Batch) []channels.Answer {
	return slices.Repeat([]channels.Answer{{Verdict: channels.Accepted}}, len(b.Recipients))
}

// to lists the contacts that a phase reached, sorted.
func (p *provider) to(phase Phase) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, b := range p.batches {
		if b.Phase == string(phase) {
			for _, r := range b.Recipients {
				list = append(list, r.To.Reveal())
			}
		}
	}
	slices.Sort(list)
	return list
}

func (p *provider) handOvers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.batches)
}

// world is an engine on a memory disk with one provider for each channel.
type world struct {
	*Engine
	t         testing.TB
	fs        vfs.FS
	store     *store.Store
	providers map[string]*provider
	config    Config
}

// newWorld has channels sms and email, without limits unless config has them.
func newWorld(t testing.TB, config Config) *world {
	w := &world{t: t, fs: vfs.NewMem(), providers: map[string]*provider{}, config: config}
	if w.config.Channels == nil {
		w.config.Channels = map[string]Channel{channels.SMS: {}, channels.Email: {}}
	}
	for name, c := range w.config.Channels {
		p := &provider{}
		w.providers[name] = p
		c.Sink = cmp.Or[channels.Sink](c.Sink, p)
		w.config.Channels[name] = c
	}
	w.open()
	return w
}

func (w *world) open() {
	var err error
	w.store, err = store.Open("data", &store.Config{FS: w.fs, Key: testKey, Cache: 1 << 20})
	require.NoError(w.t, err)
	w.Engine, err = Open(context.Background(), w.store, w.config)
	require.NoError(w.t, err)
}

func (w *world) close() {
	require.NoError(w.t, w.Engine.Close())
	require.NoError(w.t, w.store.Close())
}

// bubble runs a test in virtual time, with a world of its own.
func bubble(t *testing.T, config Config, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, config)
		defer func() { w.close() }()
		test(t, w)
	})
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

func number(i int) string { return fmt.Sprintf("+316%08d", i) }

// neighbour is a participant with an SMS number, some metres north of Dam.
func neighbour(i int, meters float64) store.Participant {
	return store.Participant{
		ID: fmt.Sprintf("p%05d", i), Contacts: map[string]string{channels.SMS: number(i)},
		Places: []store.Place{{
			ID: "home", Point: &store.Position{Lat: dam.Lat + int32(meters/0.01113), Lng: dam.Lng},
			Channels: []string{channels.SMS}, Schedule: schedule("always"),
		}},
	}
}

func schedule(text string) store.Schedule {
	s, err := store.ParseSchedule(text)
	if err != nil {
		panic(err)
	}
	return s
}

// enrol puts n neighbours a metre apart, from the first metre on.
func (w *world) enrol(n int) {
	people := make([]store.Participant, n)
	for i := range people {
		people[i] = neighbour(i, float64(i+1))
	}
	require.NoError(w.t, w.Enrol(context.Background(), people...))
}

func numbers(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = number(i)
	}
	return list
}

// missing is an action around Dam.
func missing(meters float64) Action {
	return Action{Kind: Missing, Area: geoindex.Circle(dam, meters), Text: Text{"nl": "Uitkijken naar jongen van 9, rode jas"}}
}

func (w *world) start(a Action) State {
	s, err := w.Start(context.Background(), a)
	require.NoError(w.t, err)
	return s
}

func (w *world) finished(id string) State {
	require.NoError(w.t, w.Wait(context.Background(), id))
	s, err := w.Action(id)
	require.NoError(w.t, err)
	return s
}

// alert is what became of an action's alert on a channel.
func (s State) on(message int, channel string) Counts { return s.Messages[message-1].Channels[channel] }

func TestActionFromStartToClosing(t *testing.T) {
	bubble(t, Config{Batch: 30}, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.enrol(100)
		plan, err := w.Plan(ctx, missing(50))
		require.NoError(t, err)
		require.Equal(t, 50, plan.Recipients())
		require.Equal(t, map[string]ChannelPlan{
			channels.SMS: {Recipients: 50, Waves: []int{50}, Units: 50}, channels.Email: {},
		}, plan.Channels())

		s := w.start(missing(50))
		require.Equal(t, plan.Digest(), s.Digest)
		s = w.finished(s.ID)
		require.Equal(t, Running, s.Status)
		require.Equal(t, 50, s.on(1, channels.SMS).Accepted)
		require.Equal(t, numbers(50), w.providers[channels.SMS].to(Alert))

		_, err = w.Conclude(ctx, s.ID, Conclusion{Result: "found", Text: Text{"nl": "Gevonden, dank u."}})
		require.NoError(t, err)
		s = w.finished(s.ID)
		require.Equal(t, Closed, s.Status)
		require.Equal(t, "found", s.Result)
		require.Equal(t, 50, s.on(2, channels.SMS).Accepted)
		require.Equal(t, numbers(50), w.providers[channels.SMS].to(Ending))
		require.Zero(t, s.InFlight)

		for range 2 { // the same once it is read back from the ledger, and after a restart
			again, err := w.Action(s.ID)
			require.NoError(t, err)
			require.Equal(t, s.Messages, again.Messages)
			w.close()
			w.open()
		}
	})
}

func TestEveryRecipientOnceWithItsOwnKey(t *testing.T) {
	bubble(t, Config{Batch: 7, Channels: map[string]Channel{channels.SMS: {Workers: 4}}}, func(t *testing.T, w *world) {
		w.enrol(500)
		w.finished(w.start(missing(5000)).ID)
		sms := w.providers[channels.SMS]
		require.Len(t, sms.seen, 500)
		require.Equal(t, []int{1}, slices.Compact(slices.Sorted(maps.Values(sms.seen))))
		ids := map[string]bool{}
		for _, b := range sms.batches {
			require.NoError(t, b.Validate())
			require.False(t, ids[b.ID], "a batch twice")
			ids[b.ID] = true
			require.Equal(t, "Uitkijken naar jongen van 9, rode jas", b.Texts["nl"].Text)
			require.Equal(t, 1, b.Attempt)
		}
	})
}

func TestStartTwiceWithOneKeyStartsOnce(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		w.enrol(3)
		a := missing(50)
		a.Origin = Origin{Caller: "desk", Key: "k1", Fingerprint: [32]byte{1}}
		first, second := w.start(a), w.start(a)
		require.Equal(t, first.ID, second.ID)
		a.Origin.Fingerprint = [32]byte{2}
		_, err := w.Start(context.Background(), a)
		require.ErrorIs(t, err, ErrKeyReused)
		a.Origin.Caller = "another desk"
		require.NotEqual(t, first.ID, w.start(a).ID)
		w.finished(first.ID)
	})
}

func TestStartRefusesOtherRecipientsThanSeen(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.enrol(3)
		plan, err := w.Plan(ctx, missing(50))
		require.NoError(t, err)
		require.NoError(t, w.Enrol(ctx, neighbour(77, 10)))
		a := missing(50)
		a.Recipients = plan.Digest().Recipients
		_, err = w.Start(ctx, a)
		var changed *RecipientsError
		require.ErrorAs(t, err, &changed)
		require.Equal(t, RecipientsError{Seen: 3, Now: 4}, *changed)
		require.NoError(t, w.Erase(ctx, "p00077", Origin{}))
		w.finished(w.start(a).ID)
		a.Recipients = "nonsense"
		_, err = w.Start(ctx, a)
		require.ErrorAs(t, err, new(*FieldError))
	})
}

func TestClosedEngineSaysSo(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		ctx := context.Background()
		require.NoError(t, w.Engine.Close())
		require.NoError(t, w.Engine.Close())
		_, err := w.Start(ctx, missing(50))
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, w.Enrol(ctx, neighbour(1, 1)), ErrClosed)
		require.ErrorIs(t, w.Erase(ctx, "x", Origin{}), ErrClosed)
		_, err = w.Pause(ctx, "a-x", Origin{})
		require.ErrorIs(t, err, ErrClosed)
		_, err = w.Import(ctx, Lines(nil), Enrolment{})
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestUnknownActionIsNotFound(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		ctx := context.Background()
		_, err := w.Action("a-nothing")
		require.ErrorIs(t, err, ErrNotFound)
		_, err = w.Conclude(ctx, "a-nothing", Conclusion{Text: Text{"nl": "x"}})
		require.ErrorIs(t, err, ErrNotFound)
		_, err = w.Cancel(ctx, "a-nothing", Cancellation{})
		require.ErrorIs(t, err, ErrNotFound)
		require.ErrorIs(t, w.Wait(ctx, "a-nothing"), ErrNotFound)
		for _, err := range w.Ledger("a-nothing", Query{}) {
			require.ErrorIs(t, err, ErrNotFound)
		}
		require.ErrorIs(t, w.Erase(ctx, "nobody", Origin{}), ErrNotFound)
	})
}

// TestConfig refuses what cannot work, by a sentence that names it.
func TestConfig(t *testing.T) {
	t.Parallel()
	sink := &provider{}
	st, err := store.Open("data", &store.Config{FS: vfs.NewMem(), Key: testKey})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	for says, c := range map[string]Config{
		"no sink":               {Channels: map[string]Channel{"sms": {}}},
		"rate is -1":            {Channels: map[string]Channel{"sms": {Sink: sink, Rate: -1}}},
		"burst is -2":           {Channels: map[string]Channel{"sms": {Sink: sink, Burst: -2}}},
		"-1 workers":            {Channels: map[string]Channel{"sms": {Sink: sink, Workers: -1}}},
		"timeout is -1ns":       {Channels: map[string]Channel{"sms": {Sink: sink, Timeout: -1}}},
		"batch is -5":           {Batch: -5},
		"neither may be":        {Drain: -1},
		"Atlantis":              {Timezone: "Atlantis"},
		`"party" is not a kind`: {Policy: Policy{"party": {}}},
		"no channels":           {Policy: Policy{Missing: {}}},
		"municipal switches":    {Policy: Policy{Crisis: {Channels: []string{"sms"}, Switch: "crisis"}}},
	} {
		_, err := Open(context.Background(), st, c)
		require.ErrorContains(t, err, says)
	}
}

// around draws a point within some metres.
func around(r *rand.Rand, center geoindex.Point, meters float64) *store.Position {
	return &store.Position{
		Lat: center.Lat + int32((2*r.Float64()-1)*meters/0.01113), Lng: center.Lng + int32((2*r.Float64()-1)*meters/0.0068),
	}
}
