package daemon

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/geoindex"
)

// duration is a time.Duration in Go's form ("90s") in JSON.
type duration time.Duration

// MarshalText gives Go's form.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads Go's form.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("is not a duration such as 90s")
	}
	*d = duration(v)
	return nil
}

// translation is a text in another language than the network's.
type translation struct {
	Title string `json:"title,omitempty"`
	Text  string `json:"text"`
}

type waves struct {
	Rings   []float64 `json:"rings_m,omitempty" doc:"radii in metres, ascending; what lies beyond the last is the last wave"`
	Spacing duration  `json:"spacing,omitzero" doc:"a wave starts no sooner than this after the one before"`
}

// actionRequest is the body of a preview and of a start.
type actionRequest struct {
	Kind         fanout.Kind            `json:"kind" enum:"missing,wanted,inquiry,info,crisis"`
	Area         geoindex.Area          `json:"area"`
	Incident     *geoindex.Point        `json:"incident,omitempty" doc:"where nearest-first starts; default: the centre of the area"`
	At           *time.Time             `json:"at,omitempty" doc:"of a preview: the instant to plan for"`
	Channels     []string               `json:"channels,omitempty"`
	Title        string                 `json:"title,omitempty"`
	Text         string                 `json:"text"`
	Translations map[string]translation `json:"translations,omitempty"`
	Deadline     duration               `json:"deadline,omitzero" doc:"default 60m"`
	Waves        *waves                 `json:"waves,omitempty"`
	Limit        *int                   `json:"limit,omitempty" doc:"at most so many recipients, nearest first"`
	Owner        string                 `json:"owner,omitempty"`
	Drill        bool                   `json:"drill,omitempty"`
	Reference    string                 `json:"reference,omitempty"`
	IfRecipients *string                `json:"if_recipients,omitempty" doc:"recipients digest of a preview"`

	Instruction *string        `json:"instruction,omitempty" doc:"not built yet"`
	Media       []string       `json:"media,omitempty" doc:"not built yet"`
	Pace        jsontext.Value `json:"pace,omitempty" doc:"not built yet"`
	NLAlert     bool           `json:"nl_alert,omitempty" doc:"not built yet"`
}

// unbuilt refuses what the contract has and this version has not.
func (r *actionRequest) unbuilt() error {
	for name, given := range map[string]bool{
		"instruction": r.Instruction != nil && *r.Instruction != "", "media": len(r.Media) > 0,
		"pace": r.Pace != nil && string(r.Pace) != "null", "nl_alert": r.NLAlert,
	} {
		if given {
			return refuse(http.StatusNotImplemented, inBody(name), "is not built yet")
		}
	}
	return nil
}

// action is the engine's form of a request.
func (r *actionRequest) action(language string) (fanout.Action, error) {
	if err := r.unbuilt(); err != nil {
		return fanout.Action{}, err
	}
	title, text, err := texts(language, r.Title, r.Text, r.Translations)
	if err != nil {
		return fanout.Action{}, err
	}
	a := fanout.Action{
		Kind: r.Kind, Area: r.Area, Incident: r.Incident, Channels: r.Channels, Title: title, Text: text,
		Deadline: time.Duration(r.Deadline), Owner: r.Owner, Drill: r.Drill, Reference: r.Reference,
	}
	if r.At != nil {
		a.At = *r.At
	}
	if r.Waves != nil {
		a.Waves = fanout.Waves{Rings: r.Waves.Rings, Spacing: time.Duration(r.Waves.Spacing)}
	}
	if r.Limit != nil {
		if a.Limit = *r.Limit; a.Limit < 1 {
			return a, refuse(http.StatusUnprocessableEntity, "body.limit", "is below 1")
		}
	}
	if r.IfRecipients != nil {
		a.Recipients = *r.IfRecipients
	}
	return a, nil
}

// texts gathers a text and its translations by language.
func texts(language, title, text string, others map[string]translation) (titles, all fanout.Text, err error) {
	titles, all = fanout.Text{}, fanout.Text{}
	if text != "" {
		all[language] = text
	}
	if title != "" {
		titles[language] = title
	}
	for lang, t := range others {
		switch {
		case lang == language:
			return nil, nil, refuse(http.StatusUnprocessableEntity, inBody("translations."+lang), "is the network's language: its text goes into text")
		case t.Text == "":
			return nil, nil, refuse(http.StatusUnprocessableEntity, inBody("translations."+lang+".text"), "is required")
		}
		all[lang] = t.Text
		if t.Title != "" {
			titles[lang] = t.Title
		}
	}
	return titles, all, nil
}

// digests name what an action says and whom it tells.
type digests = fanout.Digest

// previewAnswer is what would happen.
type previewAnswer struct {
	Digest     digests                   `json:"digest"`
	Recipients int                       `json:"recipients" doc:"participants, each once"`
	Channels   map[string]previewChannel `json:"channels"`
	Skipped    fanout.Skipped            `json:"skipped"`
	Warnings   []string                  `json:"warnings"`
	Took       duration                  `json:"took" doc:"planning alone"`
}

type previewChannel struct {
	Recipients int      `json:"recipients"`
	Waves      []int    `json:"waves" doc:"recipients of each wave, nearest first"`
	Units      int      `json:"units" doc:"what the limit of the channel counts; a recipient is one"`
	ETA        duration `json:"eta" doc:"until the last is handed over"`
}

func newPreview(p *fanout.Plan) *previewAnswer {
	a := &previewAnswer{
		Digest: p.Digest(), Recipients: p.Recipients(), Channels: map[string]previewChannel{},
		Skipped: p.Skipped(), Warnings: append([]string{}, p.Warnings()...), Took: duration(p.Took()),
	}
	for name, c := range p.Channels() {
		a.Channels[name] = previewChannel{c.Recipients, append([]int{}, c.Waves...), c.Units, duration(c.ETA)}
	}
	return a
}

// actionAnswer is an action as it stands.
type actionAnswer struct {
	ID        string          `json:"id"`
	Status    fanout.Status   `json:"status" enum:"draft,running,paused,closing,closed,cancelled"`
	Kind      fanout.Kind     `json:"kind"`
	Area      geoindex.Area   `json:"area"`
	Incident  *geoindex.Point `json:"incident,omitempty"`
	Channels  []string        `json:"channels"`
	Deadline  duration        `json:"deadline"`
	Limit     int             `json:"limit,omitempty"`
	Owner     string          `json:"owner,omitempty"`
	Reference string          `json:"reference,omitempty"`
	Drill     bool            `json:"drill"`
	Created   time.Time       `json:"created"`
	Ended     *time.Time      `json:"ended,omitempty"`
	Result    string          `json:"result,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Digest    digests         `json:"digest"`
	Skipped   fanout.Skipped  `json:"skipped"`
	InFlight  int             `json:"in_flight" doc:"recipients to whom a crash now could repeat the message, at most"`
	Messages  []messageAnswer `json:"messages"`
}

type messageAnswer struct {
	Number   int                      `json:"number"`
	Phase    fanout.Phase             `json:"phase"`
	Title    fanout.Text              `json:"title,omitempty"`
	Text     fanout.Text              `json:"text"`
	Created  time.Time                `json:"created"`
	Expires  time.Time                `json:"expires"`
	Channels map[string]channelAnswer `json:"channels"`
}

type channelAnswer struct {
	Planned     int          `json:"planned"`
	Accepted    int          `json:"accepted"`
	Rejected    int          `json:"rejected"`
	Failed      int          `json:"failed"`
	Expired     int          `json:"expired"`
	Withdrawn   int          `json:"withdrawn"`
	Delivered   int          `json:"delivered" doc:"by receipts, which are not built yet"`
	Undelivered int          `json:"undelivered" doc:"by receipts, which are not built yet"`
	Unknown     int          `json:"unknown" doc:"handed over without an answer when the message was stopped; counts as reached"`
	Pending     int          `json:"pending"`
	Waves       []waveAnswer `json:"waves"`
	ETA         duration     `json:"eta"`
	Waiting     string       `json:"waiting,omitempty" doc:"why nothing goes: no sink, paused"`
}

type waveAnswer struct {
	Number  int `json:"number"`
	Planned int `json:"planned"`
	Left    int `json:"left" doc:"handed over or under way"`
}

func newAction(s fanout.State) *actionAnswer {
	a := &actionAnswer{
		ID: s.ID, Status: s.Status, Kind: s.Action.Kind, Area: s.Action.Area, Incident: s.Action.Incident,
		Channels: append([]string{}, s.Action.Channels...), Deadline: duration(s.Action.Deadline), Limit: s.Action.Limit,
		Owner: s.Action.Owner, Reference: s.Action.Reference, Drill: s.Action.Drill, Created: s.Created,
		Result: s.Result, Reason: s.Reason, Digest: s.Digest, Skipped: s.Skipped, InFlight: s.InFlight,
	}
	if !s.Ended.IsZero() {
		a.Ended = &s.Ended
	}
	for _, m := range s.Messages {
		answer := messageAnswer{
			Number: m.Number, Phase: m.Phase, Title: m.Title, Text: m.Text, Created: m.Created,
			Expires: m.Expires, Channels: map[string]channelAnswer{},
		}
		for name, c := range m.Channels {
			answer.Channels[name] = newChannel(c)
		}
		a.Messages = append(a.Messages, answer)
	}
	return a
}

func newChannel(c fanout.Counts) channelAnswer {
	a := channelAnswer{
		Planned: c.Planned, Accepted: c.Accepted, Rejected: c.Rejected, Failed: c.Failed, Expired: c.Expired,
		Withdrawn: c.Withdrawn, Unknown: c.Unknown, Pending: c.Pending, ETA: duration(c.ETA), Waiting: c.Waiting,
		Waves: []waveAnswer{},
	}
	for _, w := range c.Waves {
		a.Waves = append(a.Waves, waveAnswer{w.Number, w.Planned, w.Left})
	}
	slices.SortStableFunc(a.Waves, func(x, y waveAnswer) int { return x.Number - y.Number })
	return a
}
