package fanout

import (
	"fmt"
	"maps"
	"slices"

	"github.com/crierd/crier/channels"
)

// Kind says what an action is about; it decides which [Rule] of the policy holds.
type Kind string

// The kinds of action.
const (
	Missing Kind = "missing" // a person is missing
	Wanted  Kind = "wanted"  // a person or vehicle is sought after theft, robbery or a suspicious situation
	Inquiry Kind = "inquiry" // a neighbourhood enquiry: what did you see or hear?
	Info    Kind = "info"    // information about an unsafe situation
	Crisis  Kind = "crisis"  // what to do for one's own safety, now
)

// kinds in the order of their bits in a class.
var kinds = [...]Kind{Missing, Wanted, Inquiry, Info, Crisis}

// bit is the kind's place in a class's set of kinds, 0 if it is not a kind.
func (k Kind) bit() uint8 {
	if i := slices.Index(kinds[:], k); i >= 0 {
		return 1 << i
	}
	return 0
}

// Reach says how many of a participant's channels a message uses.
type Reach string

// The two reaches.
const (
	ReachPreferred Reach = "preferred" // the first channel of the nearest eligible place
	ReachAll       Reach = "all"       // every channel of every eligible place at once
)

// Rule is what holds for one kind of action. The zero Rule allows no channel.
type Rule struct {
	Channels []string          `json:"channels"`           // that may carry the kind
	Windows  bool              `json:"windows"`            // whether participants' schedules bind
	Reach    Reach             `json:"reach"`              // default: preferred
	Switch   string            `json:"switch,omitzero"`    // municipal switch that must be on; none: always on
	Priority int               `json:"priority"`           // of its alerts; lower goes first
	Call     map[string]string `json:"call,omitzero"`      // number to call, by channel
	Required []string          `json:"required,omitempty"` // fields of the action that must be given
}

// Policy holds the rule of each kind. A kind without a rule is refused.
// A Policy is not changed once an [Engine] has it.
type Policy map[Kind]Rule

// Priorities of a message, urgent first (design: crisis > alert > update >
// closing > inquiry and info).
const (
	priorityCrisis = iota
	priorityAlert
	priorityUpdate
	priorityClosing
	priorityLow
)

// DefaultPolicy is the rule book of Burgernet as far as it can be kept today:
// boards show missing persons only, an enquiry goes by e-mail and app, and the
// number to call is 0800-0011 by telephone and 112 on social media. Kinds that
// need a municipal switch (crisis, info) have no rule yet and are refused.
func DefaultPolicy() Policy {
	call := map[string]string{
		channels.SMS: "0800-0011", channels.Voice: "0800-0011",
		channels.X: "112", channels.Messenger: "112",
	}
	people := []string{channels.App, channels.SMS, channels.Voice, channels.Email, channels.X, channels.Messenger}
	return Policy{
		Missing: {Channels: append(slices.Clone(people), channels.Board), Windows: true, Reach: ReachPreferred, Priority: priorityAlert, Call: call},
		Wanted:  {Channels: people, Windows: true, Reach: ReachPreferred, Priority: priorityAlert, Call: call},
		Inquiry: {Channels: []string{channels.Email, channels.App}, Windows: true, Reach: ReachPreferred, Priority: priorityLow},
	}
}

// rule finds the rule of a kind, or says why there is none.
func (p Policy) rule(k Kind) (Rule, error) {
	rule, ok := p[k]
	switch {
	case ok:
		return rule, nil
	case k.bit() == 0:
		return Rule{}, &FieldError{Path: "kind", Message: fmt.Sprintf("%q is not a kind: %v", k, slices.Sorted(maps.Keys(p)))}
	default:
		return Rule{}, &FieldError{Path: "kind", Message: fmt.Sprintf("%q needs municipal switches, which are not built yet", k), Err: ErrNotBuilt}
	}
}

func (p Policy) validate() error {
	for k, rule := range p {
		switch {
		case k.bit() == 0:
			return fmt.Errorf("policy: %q is not a kind", k)
		case len(rule.Channels) == 0:
			return fmt.Errorf("policy: %s: no channels", k)
		case rule.Switch != "":
			return fmt.Errorf("policy: %s: municipal switches are not built yet", k)
		case rule.Reach != "" && rule.Reach != ReachPreferred && rule.Reach != ReachAll:
			return fmt.Errorf("policy: %s: reach is %q, not preferred or all", k, rule.Reach)
		case rule.Priority < priorityCrisis || rule.Priority > priorityLow:
			return fmt.Errorf("policy: %s: priority is %d, not 0 to %d", k, rule.Priority, priorityLow)
		}
	}
	return nil
}
