package fanout

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// crowd makes up people around Dam: several places, shared and missing contacts,
// windows and kinds of all sorts.
func crowd(r *rand.Rand, n int) []store.Participant {
	schedules := []string{"always", "Mo-Fr 18:00-23:00", "Sa-Su 08:00-23:00", "Mo-Su 22:00-06:00"}
	people := make([]store.Participant, n)
	for i := range people {
		p := &people[i]
		p.ID, p.Contacts = fmt.Sprintf("p%05d", i), map[string]string{}
		p.Timezone = []string{"", "Europe/Amsterdam", "America/Aruba"}[r.IntN(3)]
		if r.IntN(4) > 0 {
			p.Contacts[channels.SMS] = number(i)
		}
		if r.IntN(2) > 0 {
			p.Contacts[channels.Email] = fmt.Sprintf("u%d@example.nl", r.IntN(n))
		}
		for range 1 + r.IntN(5)/3*r.IntN(3) + r.IntN(2) {
			place := store.Place{Point: around(r, dam, 6000), Schedule: schedule(schedules[r.IntN(len(schedules))])}
			place.Channels = [][]string{{"sms", "email"}, {"email", "sms"}, {"sms"}, {"app", "email"}}[r.IntN(4)]
			place.Kinds = [][]string{nil, nil, {"missing"}, {"wanted", "inquiry"}}[r.IntN(4)]
			p.Places = append(p.Places, place)
		}
	}
	return people
}

// outcome of the model for one participant.
type choice struct {
	wave    int
	channel string
	meters  float64
}

// model plans in the most obvious way: every place of everybody, by distance.
func model(people []store.Participant, a Action, rule Rule, used []string) (map[int]choice, map[reason]int) {
	chosen, skipped := map[int]choice{}, map[reason]int{}
	for i := range people {
		p, why := &people[i], reasons
		var best *choice
		for _, place := range p.Places {
			point := geoindex.Point{Lat: place.Point.Lat, Lng: place.Point.Lng}
			if geoindex.Distance(a.Area.Center(), point) > 2500 {
				continue
			}
			zone, _ := time.LoadLocation(cmp.Or(p.Timezone, "Europe/Amsterdam"))
			at := slices.IndexFunc(place.Channels, func(c string) bool { return p.Contacts[c] != "" && slices.Contains(used, c) })
			switch {
			case rule.Windows && !place.Schedule.Open(a.At.In(zone)):
				why = min(why, windowClosed)
				continue
			case at < 0:
				why = min(why, noChannel)
				continue
			case len(place.Kinds) > 0 && !slices.Contains(place.Kinds, string(a.Kind)):
				why = min(why, kindUnwanted)
				continue
			}
			c := choice{channel: place.Channels[at], meters: geoindex.Distance(*a.Incident, point)}
			for c.wave < len(a.Waves.Rings) && c.meters > a.Waves.Rings[c.wave] {
				c.wave++
			}
			if best == nil || c.meters < best.meters || c.meters == best.meters && slices.Index(used, c.channel) < slices.Index(used, best.channel) {
				best = &c
			}
		}
		switch {
		case best != nil:
			chosen[i] = *best
		case why < reasons:
			skipped[why]++
		}
	}
	return chosen, skipped
}

// merge leaves one of those who share an address.
func merge(people []store.Participant, chosen map[int]choice) {
	first := map[string]int{}
	var order []int
	for i := range chosen {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(chosen[a].wave, chosen[b].wave), cmp.Compare(a, b)) })
	for _, i := range order {
		if chosen[i].channel != channels.Email {
			continue
		}
		address := people[i].Contacts[channels.Email]
		if _, ok := first[address]; ok {
			delete(chosen, i)
			continue
		}
		first[address] = i
	}
}

// TestPlanModel compares plans with looking at everybody.
func TestPlanModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 12 {
		w := newWorld(t, Config{})
		people := crowd(r, 400)
		require.NoError(t, w.Enrol(context.Background(), people...))
		for range 8 {
			a := missing(2500)
			a.Kind = []Kind{Missing, Wanted}[r.IntN(2)]
			a.At = time.Date(2026, 11, 23+r.IntN(7), r.IntN(24), r.IntN(60), 0, 0, time.UTC)
			incident := geoindex.Point{Lat: dam.Lat + r.Int32N(100_000), Lng: dam.Lng + r.Int32N(100_000)}
			a.Incident, a.Waves.Rings = &incident, []float64{300, 900, 1500}
			used := []string{"sms", "email"}
			if r.IntN(3) == 0 {
				used = []string{"email"}
				a.Channels = used
			}
			plan, err := w.Plan(context.Background(), a)
			require.NoError(t, err)
			want, skipped := model(people, a, DefaultPolicy()[a.Kind], used)
			merge(people, want)
			requirePlan(t, fmt.Sprintf("seed %d round %d", seed, round), plan, want)
			require.Equal(t, Skipped{Window: skipped[windowClosed], Channel: skipped[noChannel], Kind: skipped[kindUnwanted]}, plan.Skipped())

			again, err := w.Plan(context.Background(), a)
			require.NoError(t, err)
			require.Equal(t, plan.Digest(), again.Digest(), "the same question, the same answer")
			if n := plan.Recipients(); n > 1 {
				a.Limit = 1 + r.IntN(n)
				limited, err := w.Plan(context.Background(), a)
				require.NoError(t, err)
				requirePlan(t, fmt.Sprintf("seed %d limit %d", seed, a.Limit), limited, nearest(want, a.Limit))
				require.Equal(t, n-a.Limit, limited.Skipped().Limit)
			}
		}
		w.close()
	}
}

func nearest(chosen map[int]choice, n int) map[int]choice {
	var order []int
	for i := range chosen {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(chosen[a].meters, chosen[b].meters), cmp.Compare(a, b)) })
	kept := map[int]choice{}
	for _, i := range order[:n] {
		kept[i] = chosen[i]
	}
	return kept
}

// requirePlan compares who gets what, in which wave.
func requirePlan(t *testing.T, name string, plan *Plan, want map[int]choice) {
	t.Helper()
	require.Equal(t, len(want), plan.Recipients(), name)
	got := map[int]choice{}
	for _, part := range plan.parts {
		for _, ordinal := range part.recipients {
			got[int(ordinal)] = choice{wave: part.wave, channel: plan.action.Channels[part.slot], meters: want[int(ordinal)].meters}
		}
		require.True(t, slices.IsSorted(part.recipients))
	}
	require.Equal(t, want, got, name)
}

func TestReachAllUsesEveryChannelOfEveryPlace(t *testing.T) {
	t.Parallel()
	policy := DefaultPolicy()
	rule := policy[Missing]
	rule.Reach = ReachAll
	policy[Missing] = rule
	w := newWorld(t, Config{Policy: policy})
	defer w.close()
	p := neighbour(1, 10)
	p.Contacts[channels.Email] = "u@example.nl"
	second := p.Places[0]
	second.Channels, second.Point = []string{channels.Email}, neighbour(2, 20).Places[0].Point
	p.Places = append(p.Places, second)
	require.NoError(t, w.Enrol(context.Background(), p))
	plan, err := w.Plan(context.Background(), missing(100))
	require.NoError(t, err)
	require.Equal(t, 1, plan.Recipients())
	require.Equal(t, 1, plan.Channels()[channels.SMS].Recipients)
	require.Equal(t, 1, plan.Channels()[channels.Email].Recipients)
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	defer w.close()
	for path, change := range map[string]func(*Action){
		"kind":                 func(a *Action) { a.Kind = "party" },
		"text":                 func(a *Action) { a.Text = nil },
		"area":                 func(a *Action) { a.Area = geoindex.Area{} },
		"area.circle.radius_m": func(a *Action) { a.Area = geoindex.Circle(dam, 1e9) },
		"incident":             func(a *Action) { a.Incident = &geoindex.Point{Lat: 2e9} },
		"deadline":             func(a *Action) { a.Deadline = -1 },
		"limit":                func(a *Action) { a.Limit = -1 },
		"waves.rings_m[1]":     func(a *Action) { a.Waves.Rings = []float64{5, 5} },
		"waves.spacing":        func(a *Action) { a.Waves.Spacing = -1 },
		"drill":                func(a *Action) { a.Drill = true },
		"channels[0]":          func(a *Action) { a.Channels = []string{"pigeon"} },
		"channels[1]":          func(a *Action) { a.Channels = []string{"sms", "sms"} },
		"title":                func(a *Action) { a.Title = Text{"en": "x"} },
	} {
		a := missing(100)
		change(&a)
		_, err := w.Plan(context.Background(), a)
		var refused *FieldError
		require.ErrorAs(t, err, &refused, path)
		require.Equal(t, path, refused.Path)
	}
	for _, kind := range []Kind{Crisis, Info} {
		a := missing(100)
		a.Kind = kind
		_, err := w.Plan(context.Background(), a)
		require.ErrorIs(t, err, ErrNotBuilt)
	}
	a := missing(100)
	a.Channels = []string{channels.App}
	_, err := w.Plan(context.Background(), a)
	require.ErrorContains(t, err, "has no sink")
	a = missing(100)
	a.At = time.Now()
	_, err = w.Start(context.Background(), a)
	require.ErrorContains(t, err, "previews")
}

func TestContentDigestCoversWhatIsApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	defer w.close()
	digest := func(a Action) string {
		p, err := w.Plan(context.Background(), a)
		require.NoError(t, err)
		return p.Digest().Content
	}
	base := digest(missing(100))
	seen := map[string]bool{base: true}
	for _, change := range []func(*Action){
		func(a *Action) { a.Kind = Wanted },
		func(a *Action) { a.Area = geoindex.Circle(dam, 101) },
		func(a *Action) { a.Text = Text{"nl": "Anders"} },
		func(a *Action) { a.Title = Text{"nl": "Vermist"} },
		func(a *Action) { a.Channels = []string{"sms"} },
		func(a *Action) { a.Limit = 5 },
		func(a *Action) { a.Deadline = time.Minute },
	} {
		a := missing(100)
		change(&a)
		require.False(t, seen[digest(a)])
		seen[digest(a)] = true
	}
	a := missing(100)
	a.Reference, a.Origin.Caller = "PL1300", "desk"
	require.Equal(t, base, digest(a), "who asks does not matter")
}
