package fanout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/geoindex"
)

func goodAction() Action {
	return Action{
		Kind: Missing,
		Area: geoindex.Circle(geoindex.At(52.3676, 4.9041), 2500),
		Text: Text{"nl": "Uitkijken naar jongen van 9, rode jas."},
	}
}

func TestActionRefusesBadFields(t *testing.T) {
	t.Parallel()
	bad := geoindex.Point{Lat: 910_000_000}
	for _, c := range []struct {
		path   string
		change func(*Action)
	}{
		{"text", func(a *Action) { a.Text = nil }},
		{"text", func(a *Action) { a.Text = Text{"en": "only English"} }},
		{"text", func(a *Action) { a.Text = Text{"nl": "\xff"} }},
		{"text", func(a *Action) { a.Text["en"] = strings.Repeat("x", maxText+1) }},
		{"title", func(a *Action) { a.Title = Text{"en": "no Dutch one"} }},
		{"area", func(a *Action) { a.Area = geoindex.Area{} }},
		{"incident", func(a *Action) { a.Incident = &bad }},
		{"deadline", func(a *Action) { a.Deadline = -1 }},
		{"deadline", func(a *Action) { a.Deadline = 8 * 24 * time.Hour }},
		{"limit", func(a *Action) { a.Limit = -1 }},
		{"waves.rings_m[1]", func(a *Action) { a.Waves.Rings = []float64{500, 500} }},
		{"waves.rings_m[0]", func(a *Action) { a.Waves.Rings = []float64{0} }},
		{"waves.rings_m", func(a *Action) { a.Waves.Rings = make([]float64, maxRings+1) }},
		{"waves.spacing", func(a *Action) { a.Waves.Spacing = -1 }},
	} {
		a := goodAction()
		c.change(&a)
		var field *FieldError
		require.ErrorAs(t, a.validate("nl"), &field, c.path)
		require.Equal(t, c.path, field.Path)
	}
	good := goodAction()
	require.NoError(t, good.validate("nl"))
}

func TestActionChannels(t *testing.T) {
	t.Parallel()
	rule := Rule{Channels: []string{"app", "sms", "email"}}
	has := func(c string) bool { return c != "app" }
	a := goodAction()
	got, err := a.usable(rule, has)
	require.NoError(t, err)
	require.Equal(t, []string{"sms", "email"}, got, "those with a sink, in the policy's order")
	for channel, message := range map[string]string{"board": "may not use", "app": "has no sink"} {
		a.Channels = []string{channel}
		_, err := a.usable(rule, has)
		require.ErrorContains(t, err, message)
	}
	a.Channels = []string{"sms", "sms"}
	_, err = a.usable(rule, has)
	require.ErrorContains(t, err, "channels[1]")
	a.Channels = nil
	_, err = a.usable(rule, func(string) bool { return false })
	require.ErrorContains(t, err, "has a sink")
}

func TestDefaultRingsGoRoundTheEarth(t *testing.T) {
	t.Parallel()
	rings := Waves{}.rings()
	require.Equal(t, []float64{250, 500, 1000}, rings[:3])
	require.Less(t, len(rings), maxRings)
	require.Greater(t, 2*rings[len(rings)-1], 20_003_931.0, "half the meridian")
}

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 16, 30, 0, 0, time.UTC)
	var ids []string
	for i := range 100 {
		ids = append(ids, newID(now.Add(time.Duration(i)*time.Millisecond)))
	}
	require.True(t, slices.IsSorted(ids))
	require.Regexp(t, "^a-[0-9A-HJKMNP-TV-Z]{26}$", ids[0])
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	require.NoError(t, DefaultPolicy().validate())
	for _, kind := range []Kind{Crisis, Info} {
		_, err := DefaultPolicy().rule(kind)
		require.ErrorIs(t, err, ErrNotBuilt, "municipal switches do not exist yet")
	}
	_, err := DefaultPolicy().rule("party")
	var field *FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "kind", field.Path)
	for name, p := range map[string]Policy{
		"not a kind":  {"party": {Channels: []string{"sms"}}},
		"no channels": {Missing: {}},
		"switches":    {Missing: {Channels: []string{"sms"}, Switch: "crisis"}},
		"reach":       {Missing: {Channels: []string{"sms"}, Reach: "some"}},
		"priority":    {Missing: {Channels: []string{"sms"}, Priority: 9}},
	} {
		require.ErrorContains(t, p.validate(), name)
	}
}

func TestBoardsShowMissingPersonsOnly(t *testing.T) {
	t.Parallel()
	for kind, rule := range DefaultPolicy() {
		require.Equal(t, kind == Missing, slices.Contains(rule.Channels, "board"), kind)
	}
}
