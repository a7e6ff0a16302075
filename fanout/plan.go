package fanout

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crierd/crier/geoindex"
)

// Plan shows who would get an action's alert, when and over what. It is made by
// [Engine.Plan], changes nothing and does not change itself: the same people,
// policy, action and instant make the same plan. It is safe for concurrent use.
type Plan struct {
	action     Action
	rule       Rule
	shape      geoindex.Shape
	at         time.Time
	parts      []part
	recipients int
	skipped    Skipped
	holds      time.Time
	digest     Digest
	channels   map[string]ChannelPlan
	took       time.Duration
}

// Skipped counts the participants who have a place in the area and get nothing,
// each by the first reason in this order.
type Skipped struct {
	Limit       int `json:"limit"`
	Window      int `json:"window"`
	Channel     int `json:"channel"`
	SwitchedOff int `json:"switched_off"`
	Kind        int `json:"kind"`
}

// ChannelPlan is a plan's share of one channel.
type ChannelPlan struct {
	Recipients int
	Waves      []int         // recipients of each wave, nearest first
	Units      int           // what the limiter counts; a recipient is one
	ETA        time.Duration // until the last is handed over, what waits before it included
}

// Digest names what a plan says and whom it tells.
type Digest struct {
	Content    string `json:"content"`    // kind, area, texts, channels and limits
	Recipients string `json:"recipients"` // participants by channel and wave; their number stands behind the slash
}

// Action is the action that was planned, its defaults filled in.
func (p *Plan) Action() Action { return p.action }

// Recipients counts the participants who would be told, each once.
func (p *Plan) Recipients() int { return p.recipients }

// Channels is the share of each channel of the action.
func (p *Plan) Channels() map[string]ChannelPlan { return p.channels }

// Skipped counts who would not be told, and why not.
func (p *Plan) Skipped() Skipped { return p.skipped }

// Digest names the plan's content and recipients.
func (p *Plan) Digest() Digest { return p.digest }

// Took is how long planning took, counts and digests included.
func (p *Plan) Took() time.Duration { return p.took }

// Warnings are sentences for whoever is about to start the action.
func (p *Plan) Warnings() []string {
	var all []string
	if p.recipients == 0 {
		all = append(all, "nobody would be told")
	}
	for _, name := range p.action.Channels {
		if eta := p.channels[name].ETA; eta > p.action.Deadline {
			all = append(all, fmt.Sprintf("%s needs %v, but the deadline is %v: the rest will expire", name, eta.Round(time.Second), p.action.Deadline))
		}
	}
	return all
}

// Plan finds who would be told of an action now, or at a.At. It changes nothing
// and takes no longer for a large population than for a small one with the same
// hits. Bad input is refused with a [*FieldError].
func (e *Engine) Plan(ctx context.Context, a Action) (*Plan, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := e.prepare(a)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	s := e.selections.Get().(*selection)
	defer e.selections.Put(s)
	e.choose(p, s)
	p.digest = Digest{Content: p.contentDigest(), Recipients: p.recipientsDigest()}
	p.channels = e.channelPlans(p)
	p.took = time.Since(started)
	return p, nil
}

// prepare checks an action and fills in its defaults.
func (e *Engine) prepare(a Action) (*Plan, error) {
	rule, err := e.cfg.Policy.rule(a.Kind)
	if err != nil {
		return nil, err
	}
	if err := a.validate(e.cfg.Language); err != nil {
		return nil, err
	}
	if a.Drill && e.cfg.Drill == nil {
		return nil, &FieldError{Path: "drill", Message: "no sink for drills is configured"}
	}
	if a.Channels, err = a.usable(rule, func(c string) bool { _, ok := e.lanes[c]; return ok }); err != nil {
		return nil, err
	}
	shape, err := a.Area.Prepare(e.cfg.Limits)
	if err != nil {
		return nil, areaError(err)
	}
	if a.Deadline == 0 {
		a.Deadline = e.cfg.Deadline
	}
	center := a.incident()
	a.Incident = &center
	at := a.At
	if at.IsZero() {
		at = e.cfg.Now()
	}
	return &Plan{action: a, rule: rule, shape: shape, at: at}, nil
}

// choose runs the query and leaves its answer in the plan.
func (e *Engine) choose(p *Plan, s *selection) {
	a := &p.action
	snap := e.index.Snapshot() // before the size and the classes: those only grow
	s.reset(int(e.ordinals.Load()))
	s.judge.reset(e.classes.table.Load(), a.Kind, p.at, p.rule, a.Channels)
	s.center, s.bands = *a.Incident, geoindex.NewBands(*a.Incident, a.Waves.rings())
	s.collect(snap, p.shape, a.Limit > 0)
	for slot, channel := range a.Channels {
		s.merge(slot, channel, &e.links)
	}
	if a.Limit > 0 {
		s.limit(a.Limit)
	}
	p.recipients = s.count
	p.skipped = Skipped{
		Limit: s.skipped[overLimit], Window: s.skipped[windowClosed], Channel: s.skipped[noChannel],
		SwitchedOff: s.skipped[switchedOff], Kind: s.skipped[kindUnwanted],
	}
	p.parts = s.parts(len(a.Channels))
	if p.rule.Windows {
		p.holds = s.judge.holds()
	}
}

// contentDigest covers what a person approves: all of the action but who asked,
// in one canonical form (JSON sorts the languages of a text).
func (p *Plan) contentDigest() string {
	a := &p.action
	content, _ := json.Marshal(struct { // numbers, strings and maps of those: cannot fail
		Kind        Kind
		Area        []byte
		Incident    [2]int32
		Channels    []string
		Title, Text Text
		Deadline    time.Duration
		Waves       Waves
		Limit       int
		Drill       bool
	}{
		a.Kind, a.Area.AppendCanonical(nil), [2]int32{a.Incident.Lat, a.Incident.Lng},
		a.Channels, a.Title, a.Text, a.Deadline, a.Waves, a.Limit, a.Drill,
	})
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// recipientsDigest covers the participants by channel and wave, and says their
// number in the clear, so that a later comparison can tell both counts.
func (p *Plan) recipientsDigest() string {
	h := sha256.New()
	var buf []byte
	for _, part := range p.parts {
		buf = append(buf[:0], p.action.Channels[part.slot]...)
		buf = binary.LittleEndian.AppendUint64(append(buf, 0), uint64(part.wave)<<32|uint64(len(part.recipients)))
		for _, ordinal := range part.recipients {
			buf = binary.LittleEndian.AppendUint32(buf, ordinal)
		}
		h.Write(buf)
	}
	return fmt.Sprintf("sha256:%s/%d", hex.EncodeToString(h.Sum(nil)), p.recipients)
}

// recipientsSeen reads the number back from a digest.
func recipientsSeen(digest string) (int, error) {
	hash, count, ok := strings.Cut(digest, "/")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || !strings.HasPrefix(hash, "sha256:") {
		return 0, &FieldError{Path: "if_recipients", Message: "is not a recipients digest of a preview"}
	}
	return n, nil
}

func (e *Engine) channelPlans(p *Plan) map[string]ChannelPlan {
	plans := make(map[string]ChannelPlan, len(p.action.Channels))
	for slot, name := range p.action.Channels {
		var c ChannelPlan
		for _, part := range p.parts {
			if part.slot == slot {
				c.Waves = append(c.Waves, len(part.recipients))
				c.Recipients += len(part.recipients)
			}
		}
		c.Units = c.Recipients
		c.ETA = e.lanes[name].eta(c.Units, p.rule.Priority)
		if pauses := len(c.Waves) - 1; pauses > 0 {
			c.ETA = max(c.ETA, time.Duration(pauses)*p.action.Waves.Spacing)
		}
		plans[name] = c
	}
	return plans
}
