package fanout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/store"
)

func line(t *testing.T, p store.Participant) string {
	text, err := json.Marshal(p)
	require.NoError(t, err)
	return string(text) + "\n"
}

func (w *world) imported(t *testing.T, text string) ImportReport {
	r, err := w.Import(context.Background(), Lines(strings.NewReader(text)), Enrolment{})
	require.NoError(t, err)
	r.Took = 0
	return r
}

// TestImport brings the same file into an empty store, at once, and into one that
// has people, in chunks: the good lines are there and the bad ones told.
func TestImport(t *testing.T) {
	t.Parallel()
	var good strings.Builder
	for i := range 2500 {
		good.WriteString(line(t, neighbour(i, float64(i%900))))
	}
	second := neighbour(9000, 5)
	second.Contacts[channels.SMS] = number(3) // somebody else's
	again := neighbour(4, 44)                 // an ID twice: the last counts
	area := neighbour(9001, 5)
	area.Places[0].Point, area.Places[0].Area = nil, []byte(`{"regions":["GM0363"]}`)
	text := good.String() + "\n" + line(t, second) + line(t, again) + `{"id":"x","colour":"red"}` + "\n" + "not json\n" + line(t, area)

	for _, empty := range []bool{true, false} {
		w := newWorld(t, Config{})
		if !empty {
			require.NoError(t, w.Enrol(context.Background(), neighbour(1, 1)))
		}
		r := w.imported(t, text)
		require.Equal(t, 2505, r.Read)
		require.Equal(t, 4, r.Rejected)
		reasons := map[int]string{}
		for _, reject := range r.Rejects {
			reasons[reject.Line] = reject.Reason
			require.NotContains(t, reject.Reason, "+316")
		}
		require.Contains(t, reasons[2502], "contacts.sms: belongs to another participant")
		require.Contains(t, reasons[2504], "colour")
		require.Contains(t, reasons, 2505)
		require.Contains(t, reasons[2506], "not built yet")
		require.Equal(t, 2500, w.store.Stats().Participants)
		p, err := w.store.Participant("p00004")
		require.NoError(t, err)
		require.Equal(t, again.Places[0].Point, p.Places[0].Point)
		plan, err := w.Plan(context.Background(), missing(5000))
		require.NoError(t, err)
		require.Equal(t, 2500, plan.Recipients())
		if empty {
			require.Equal(t, 2500, r.Created)
			require.Equal(t, 1, r.Repeated)
			require.Equal(t, 2500, w.imported(t, good.String()).Unchanged+1, "only the repeated one is changed back")
		}
		w.close()
	}
}

func TestImportEndsWithItsSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	defer w.close()
	broken := io.MultiReader(strings.NewReader(line(t, neighbour(1, 1))), failing{})
	_, err := w.Import(context.Background(), Lines(broken), Enrolment{})
	var source *SourceError
	require.ErrorAs(t, err, &source)
	require.Equal(t, 2, source.Line)
	require.Zero(t, w.store.Stats().Participants, "into an empty store all or nothing")
	_, err = w.Import(context.Background(), Lines(strings.NewReader(strings.Repeat("x", 2<<20))), Enrolment{})
	require.ErrorAs(t, err, &source)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = w.Import(ctx, Lines(strings.NewReader(line(t, neighbour(1, 1)))), Enrolment{})
	require.ErrorIs(t, err, context.Canceled)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection lost") }

func TestEnrolRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	defer w.close()
	ctx := context.Background()
	for path, change := range map[string]func(*store.Participant){
		"places[0].kinds[0]": func(p *store.Participant) { p.Places[0].Kinds = []string{"party"} },
		"places[0].channels": func(p *store.Participant) { p.Places[0].Channels = make([]string, 9) },
		"places[0].postcode": func(p *store.Participant) { p.Places[0].Point, p.Places[0].Postcode = nil, "1012" },
		"timezone":           func(p *store.Participant) { p.Timezone = "Local" },
	} {
		p := neighbour(1, 1)
		for i := range p.Places[0].Channels {
			p.Places[0].Channels[i] = channels.SMS
		}
		change(&p)
		for i := range p.Places[0].Channels {
			p.Places[0].Channels[i] = fmt.Sprintf("c%d", i)
		}
		err := w.Enrol(ctx, neighbour(2, 2), p)
		var refused *FieldError
		require.ErrorAs(t, err, &refused, path)
		require.Equal(t, path, refused.Path)
		require.Zero(t, w.store.Stats().Participants, "all or none")
	}
	require.NoError(t, w.Enrol(ctx, neighbour(1, 1)))
	thief := neighbour(2, 2)
	thief.Contacts = neighbour(1, 1).Contacts
	require.ErrorAs(t, w.Enrol(ctx, thief), new(*store.ConflictError))
	created, err := w.Put(ctx, thief, Enrolment{Takeover: true, Origin: Origin{Caller: "admin"}})
	require.NoError(t, err)
	require.True(t, created)
	plan, err := w.Plan(ctx, missing(500))
	require.NoError(t, err)
	require.Equal(t, 1, plan.Recipients(), "the first has no channel left")
	require.Equal(t, 1, plan.Skipped().Channel)
	var verbs []string
	for r, err := range w.store.Audit() {
		require.NoError(t, err)
		verbs = append(verbs, r.Verb)
	}
	require.Equal(t, []string{"take over a contact"}, verbs)
}

// FuzzLine feeds an import whatever comes: it ends, and refuses by line.
func FuzzLine(f *testing.F) {
	f.Add(`{"id":"p1","contacts":{"sms":"+31612345678"},"places":[{"point":[4.9,52.3],"channels":["sms"],"schedule":"always"}]}`)
	f.Add(`{"id":"p1","places":[{"postcode":"1012","channels":["x"],"schedule":"Mo 08:00-09:00"}]}`)
	w := newWorld(f, Config{})
	f.Cleanup(w.close)
	f.Fuzz(func(t *testing.T, text string) {
		r := &report{engine: w.Engine}
		good := r.decode([]Line{{1, []byte(text)}})
		require.Equal(t, 1, len(good)+r.Rejected)
		for _, p := range good {
			require.NoError(t, p.who.Validate())
			again, err := json.Marshal(p.who)
			require.NoError(t, err)
			require.Len(t, r.decode([]Line{{1, again}}), 1, "%s", again)
		}
	})
}
