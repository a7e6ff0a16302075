package fanout

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/crierd/crier/geoindex"
)

// Text is one text in one or more languages, by BCP 47 tag. A participant gets
// the one in its own language, else the one in [Config.Language].
type Text map[string]string

// Action is a call on people's attention as it is asked for. Only Kind, Area
// and Text are required. An Action is a plain value; the engine copies what it
// keeps.
type Action struct {
	Kind     Kind            `json:"kind"`
	Area     geoindex.Area   `json:"area"`
	Incident *geoindex.Point `json:"incident,omitempty"` // where nearest-first starts. default: the centre of Area
	Channels []string        `json:"channels,omitempty"` // default: all that the policy allows and a sink is there for
	Title    Text            `json:"title,omitempty"`
	Text     Text            `json:"text"`
	Deadline time.Duration   `json:"deadline,omitempty"` // after which nobody gets the alert any more. default: Config.Deadline
	Waves    Waves           `json:"waves,omitzero"`
	Limit    int             `json:"limit,omitempty"` // at most so many recipients, nearest first. default: no limit

	Owner     string `json:"owner,omitempty"`     // the region or service that asks
	Reference string `json:"reference,omitempty"` // the owner's own number of the case
	Drill     bool   `json:"drill,omitempty"`     // goes to Config.Drill only

	At         time.Time `json:"-"` // of a preview: the instant at which windows are judged. default: now
	Recipients string    `json:"-"` // digest from a preview: Start refuses another set with a *RecipientsError
	Origin     Origin    `json:"-"` // who asks
}

// Waves are the distance bands, nearest first, in which a message goes out.
// The zero value is bands that double from 250 m, without a pause.
type Waves struct {
	Rings   []float64     `json:"rings,omitempty"`   // metres from the incident, ascending; what lies beyond the last is the last wave
	Spacing time.Duration `json:"spacing,omitempty"` // a wave starts no sooner than this after the one before
}

// Origin says who asks for a change and how to know the request again.
type Origin struct {
	Caller      string   // for the audit trail. default: "library"
	Key         string   // idempotency key, scoped to Caller. default: none
	Fingerprint [32]byte // of the request's body, with Key
}

const (
	maxRings    = 30
	maxChannels = 24
	maxText     = 4000 // characters of a text or title in one language
	maxDeadline = 7 * 24 * time.Hour
	firstRing   = 250.0 // metres; the default rings double from here
	farRing     = 20_100_000
)

// rings gives the radii of the waves in metres: those asked for, or bands that
// double from 250 m until they are round the earth.
func (w Waves) rings() []float64 {
	if len(w.Rings) > 0 {
		return w.Rings
	}
	var rings []float64
	for r := firstRing; r < farRing; r *= 2 {
		rings = append(rings, r)
	}
	return rings
}

func (w Waves) validate() error {
	if len(w.Rings) > maxRings {
		return &FieldError{Path: "waves.rings_m", Message: fmt.Sprintf("%d rings, at most %d", len(w.Rings), maxRings)}
	}
	last := 0.0
	for i, r := range w.Rings {
		if !(r > last && r < farRing) {
			return &FieldError{Path: fmt.Sprintf("waves.rings_m[%d]", i), Message: "radii are above 0 m, ascending, and on the earth"}
		}
		last = r
	}
	if w.Spacing < 0 || w.Spacing > maxDeadline {
		return &FieldError{Path: "waves.spacing", Message: "is below 0 or above 7 days"}
	}
	return nil
}

func (t Text) validate(path, language string, required bool) error {
	if len(t) == 0 && !required {
		return nil
	}
	if t[language] == "" {
		return &FieldError{Path: path, Message: fmt.Sprintf("is required in %q", language)}
	}
	for lang, text := range t {
		switch {
		case !utf8.ValidString(text):
			return &FieldError{Path: path, Message: fmt.Sprintf("is not UTF-8 in %q", lang)}
		case utf8.RuneCountInString(text) > maxText:
			return &FieldError{Path: path, Message: fmt.Sprintf("has more than %d characters in %q", maxText, lang)}
		}
	}
	return nil
}

// validate checks all that needs neither the index nor the sinks.
func (a *Action) validate(language string) error {
	if err := a.Text.validate("text", language, true); err != nil {
		return err
	}
	if err := a.Title.validate("title", language, false); err != nil {
		return err
	}
	switch {
	case a.Area.IsZero():
		return &FieldError{Path: "area", Message: "is required: no area, no message"}
	case a.Incident != nil && !a.Incident.Valid():
		return &FieldError{Path: "incident", Message: "is not a position on the earth"}
	case a.Deadline < 0 || a.Deadline > maxDeadline:
		return &FieldError{Path: "deadline", Message: "is below 0 or above 7 days"}
	case a.Limit < 0:
		return &FieldError{Path: "limit", Message: "is below 0"}
	}
	return a.Waves.validate()
}

// usable gives the action's channels in the policy's order, those without a
// sink refused if asked for by name and left out if not.
func (a *Action) usable(rule Rule, has func(channel string) bool) ([]string, error) {
	if len(a.Channels) == 0 {
		chosen := slices.DeleteFunc(slices.Clone(rule.Channels), func(c string) bool { return !has(c) })
		if len(chosen) == 0 {
			return nil, &FieldError{Path: "channels", Message: fmt.Sprintf("none of %v, which %s may use, has a sink", rule.Channels, a.Kind)}
		}
		return chosen, nil
	}
	for i, c := range a.Channels {
		path := fmt.Sprintf("channels[%d]", i)
		switch {
		case !slices.Contains(rule.Channels, c):
			return nil, &FieldError{Path: path, Message: fmt.Sprintf("%s may not use %q, only %v", a.Kind, c, rule.Channels)}
		case !has(c):
			return nil, &FieldError{Path: path, Message: fmt.Sprintf("%q has no sink", c)}
		case slices.Contains(a.Channels[:i], c):
			return nil, &FieldError{Path: path, Message: fmt.Sprintf("%q is named twice", c)}
		}
	}
	return slices.Clone(a.Channels), nil
}

// incident is where nearest-first starts.
func (a *Action) incident() geoindex.Point {
	if a.Incident != nil {
		return *a.Incident
	}
	return a.Area.Center()
}

// crockford is the alphabet of action IDs: no I, L, O, U.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// newID makes an action ID: "a-" and 26 characters that sort by time (48 bits
// of milliseconds, then 80 random bits).
func newID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails (crypto/rand)
	return "a-" + crockford.EncodeToString(b[:])
}
