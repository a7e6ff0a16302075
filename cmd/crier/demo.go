package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/crierd/crier/bench"
	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/internal/daemon"
	"github.com/crierd/crier/store"
)

type demoCommand struct {
	Participants int    `help:"How many people to make up." default:"2400000"`
	Dir          string `help:"Where to keep the people and what is recorded. Default: a new temporary directory."`
	Serve        bool   `help:"Leave the daemon running on it."`
	Listen       string `help:"Where it listens then." default:"127.0.0.1:7700"`
}

// demo is the story under way.
type demo struct {
	*demoCommand
	term   *terminal
	engine *fanout.Engine
	sinks  *demoSinks
}

// Run tells the story, and serves what it has made if it is to.
func (c *demoCommand) Run(ctx context.Context, term *terminal) error {
	if c.Participants < 1 || c.Participants > 90_000_000 {
		return errors.New("--participants: is not 1 to 90,000,000")
	}
	if c.Dir == "" {
		var err error
		if c.Dir, err = os.MkdirTemp("", "crier-demo-"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	d := &demo{demoCommand: c, term: term}
	if err := d.tell(ctx); err != nil {
		return err
	}
	if !c.Serve {
		return nil
	}
	return d.serve(ctx)
}

func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.term.out, format+"\n", args...)
}

func (d *demo) data() string { return filepath.Join(d.Dir, "data") }
func (d *demo) out() string  { return filepath.Join(d.Dir, "out") }

// tell is the story from the empty directory to the closing.
func (d *demo) tell(ctx context.Context) error {
	people := filepath.Join(d.Dir, "people.ndjson.zst")
	if err := generate(ctx, d.term, bench.Population{People: d.Participants, Seed: 1}, people); err != nil {
		return err
	}
	load := importCommand{target: target{Data: d.data()}, Files: []string{people}}
	if err := load.Run(ctx, d.term); err != nil {
		return err
	}
	begun := time.Now()
	st, err := store.Open(d.data(), nil)
	if err != nil {
		return err
	}
	if d.sinks, err = newDemoSinks(d.out()); err != nil {
		return errors.Join(err, st.Close())
	}
	rates, err := d.rates(ctx, st)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	if d.engine, err = fanout.Open(ctx, st, fanout.Config{Channels: rates}); err != nil {
		return errors.Join(err, st.Close())
	}
	places, size := d.engine.IndexSize()
	d.say("open: %d places in the index, %.1f bytes each, in %v", places, float64(size)/float64(max(places, 1)), time.Since(begun).Round(time.Millisecond))
	return errors.Join(d.act(ctx), d.engine.Close(), st.Close())
}

// sendTime is how long the demo's alert is to take: its rates are made to fit.
const sendTime = 8 * time.Second

// rates plans once to see how many there are to tell, and gives each channel a
// rate at which that takes a while.
func (d *demo) rates(ctx context.Context, st *store.Store) (map[string]fanout.Channel, error) {
	unlimited := d.sinks.channels(nil)
	eng, err := fanout.Open(ctx, st, fanout.Config{Channels: unlimited})
	if err != nil {
		return nil, err
	}
	plan, err := eng.Plan(ctx, d.action())
	if err = errors.Join(err, eng.Close()); err != nil {
		return nil, err
	}
	rates := map[string]float64{}
	for name, c := range plan.Channels() {
		rates[name] = max(5, float64(c.Recipients)/sendTime.Seconds())
	}
	return d.sinks.channels(rates), nil
}

// action is the missing child, at the Dam in Amsterdam.
func (d *demo) action() fanout.Action {
	return fanout.Action{
		Kind:  fanout.Missing,
		Area:  geoindex.Circle(geoindex.At(52.3731, 4.8926), 2500),
		Title: fanout.Text{"nl": "Vermist: jongen, 9 jaar", "en": "Missing: boy, 9"},
		Text: fanout.Text{
			"nl": "Uitkijken naar jongen van 9, rode jas, bij de Dam. Gezien? Bel 112.",
			"en": "Look out for a boy of 9, red coat, near Dam square. Seen him? Call 112.",
		},
		Waves: fanout.Waves{Rings: []float64{500, 1000, 1750, 2500}},
	}
}

func (d *demo) act(ctx context.Context) error {
	plan, err := d.engine.Plan(ctx, d.action())
	if err != nil {
		return err
	}
	d.preview(plan)
	begun := time.Now()
	s, err := d.engine.Start(ctx, plan.Action())
	if err != nil {
		return err
	}
	d.say("started %s: on disk after %v", s.ID, time.Since(begun).Round(time.Microsecond))
	if err := d.alert(ctx, s.ID); err != nil {
		return err
	}
	begun = time.Now()
	s, err = d.engine.Conclude(ctx, s.ID, fanout.Conclusion{
		Result: "found", Text: fanout.Text{"nl": "De jongen is gevonden. Dank u wel!", "en": "The boy has been found. Thank you!"},
	})
	if err != nil {
		return err
	}
	d.say("closed: the closing planned and on disk after %v", time.Since(begun).Round(time.Microsecond))
	if err := d.watch(ctx, s.ID, 2, func(fanout.State) bool { return false }); err != nil {
		return err
	}
	return d.compare(s.ID)
}

func (d *demo) preview(plan *fanout.Plan) {
	skipped := plan.Skipped()
	d.say("preview: %d people within 2.5 km of the Dam, planned in %v", plan.Recipients(), plan.Took())
	d.say("  not told: %d whose window is closed now, %d without a channel, %d who do not want this kind", skipped.Window, skipped.Channel, skipped.Kind)
	for _, name := range plan.Action().Channels {
		if c := plan.Channels()[name]; c.Recipients > 0 {
			d.say("  %-9s %6d  by wave %v, in about %v", name, c.Recipients, c.Waves, c.ETA.Round(100*time.Millisecond))
		}
	}
}

// pauseFor is how long the demo pauses its action.
const pauseFor = 2 * time.Second

// alert watches the alert go out, with a pause half-way.
func (d *demo) alert(ctx context.Context, id string) error {
	half := func(s fanout.State) bool { return left(s, 1)*3 >= planned(s, 1) }
	if err := d.watch(ctx, id, 1, half); err != nil {
		return err
	}
	s, err := d.engine.Pause(ctx, id, fanout.Origin{})
	switch {
	case errors.Is(err, fanout.ErrStatus):
		return nil
	case err != nil:
		return err
	}
	before := time.Now()
	d.say("paused: %d of %d have left", left(s, 1), planned(s, 1))
	timer := time.NewTimer(pauseFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s, err = d.engine.Action(id); err != nil {
		return err
	}
	d.say("still paused after %v: %d have left", time.Since(before).Round(time.Millisecond), left(s, 1))
	if _, err := d.engine.Resume(ctx, id, fanout.Origin{}); err != nil {
		return err
	}
	d.say("resumed")
	if err := d.watch(ctx, id, 1, func(fanout.State) bool { return false }); err != nil {
		return err
	}
	d.say("providers asked for %d pauses, and got them", d.engine.Metrics().Throttles)
	return nil
}

// watch shows a message's progress until it is through, or enough says so.
func (d *demo) watch(ctx context.Context, id string, message int, enough func(fanout.State) bool) error {
	s, err := d.engine.Action(id)
	if err != nil {
		return err
	}
	board := newBoard(d.term, s, message)
	defer board.end()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if s, err = d.engine.Action(id); err != nil {
			return err
		}
		board.show(s)
		if enough(s) || pending(s, message) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// compare shows that who heard the beginning heard the end: by the ledger, and
// by what the sinks recorded.
func (d *demo) compare(id string) error {
	if err := d.engine.Wait(context.Background(), id); err != nil {
		return err
	}
	reached, closed := map[string]bool{}, map[string]bool{}
	for row, err := range d.engine.Ledger(id, fanout.Query{Outcome: fanout.Accepted.String()}) {
		if err != nil {
			return err
		}
		if row.Phase == fanout.Alert {
			reached[row.Participant] = true
		} else {
			closed[row.Participant] = true
		}
	}
	if len(reached) != len(closed) {
		return fmt.Errorf("%d people were reached, and %d got the closing", len(reached), len(closed))
	}
	for id := range reached {
		if !closed[id] {
			return errors.New("somebody was reached and did not get the closing")
		}
	}
	d.say("%d people were reached; the same %d got the closing", len(reached), len(closed))
	files, err := filepath.Glob(filepath.Join(d.out(), id+".*"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	d.say("recorded messages, one line each:")
	for _, f := range files {
		d.say("  %s", f)
	}
	d.say("everything lies in %s; remove it when you have seen enough", d.Dir)
	return nil
}

// serve runs the daemon on what the demo has made.
func (d *demo) serve(ctx context.Context) error {
	return daemon.Run(ctx, daemon.Config{
		Listen: d.Listen, Data: d.data(), Out: d.out(),
		Ready: func(token string) {
			d.say("serving on http://%s until interrupted", d.Listen)
			if token != "" {
				d.say("token with all scopes, shown once: %s", token)
			}
		},
	})
}

func planned(s fanout.State, message int) (n int) {
	for _, c := range s.Messages[message-1].Channels {
		n += c.Planned
	}
	return n
}

func pending(s fanout.State, message int) (n int) {
	for _, c := range s.Messages[message-1].Channels {
		n += c.Pending
	}
	return n
}

func left(s fanout.State, message int) (n int) {
	for _, c := range s.Messages[message-1].Channels {
		for _, w := range c.Waves {
			n += w.Left
		}
	}
	return n
}
