package fanout

import (
	"context"
	"errors"
	"fmt"

	"github.com/crierd/crier/store"
)

// Enrolment is how a participant is enrolled.
type Enrolment struct {
	Takeover bool // move a contact that belongs to another participant, instead of refusing
	Origin   Origin
}

// Enrol creates or replaces participants, all or none. When it returns they are
// durable and every later [Engine.Plan] sees them. Bad input is refused with a
// [*store.FieldError] or [*FieldError], a contact that belongs to somebody else
// with a [*store.ConflictError]; both name the participant.
func (e *Engine) Enrol(ctx context.Context, people ...store.Participant) error {
	_, err := e.enrol(ctx, people, Enrolment{})
	return err
}

// Put is [Engine.Enrol] of one participant, and says whether it is new.
func (e *Engine) Put(ctx context.Context, p store.Participant, how Enrolment) (created bool, err error) {
	n, err := e.enrol(ctx, []store.Participant{p}, how)
	return n.Created == 1, err
}

// tally of an enrolment.
type enrolled struct{ Created, Updated, Unchanged int }

func (e *Engine) enrol(ctx context.Context, people []store.Participant, how Enrolment) (enrolled, error) {
	if err := e.open(); err != nil {
		return enrolled{}, err
	}
	for i := range people {
		if err := e.check(&people[i]); err != nil {
			return enrolled{}, fmt.Errorf("participant %q: %w", people[i].ID, err)
		}
	}
	var n enrolled
	err := e.store.Update(ctx, func(tx *store.Tx) error {
		n = enrolled{}
		for i := range people {
			if err := e.put(tx, &people[i], how, &n); err != nil {
				return fmt.Errorf("participant %q: %w", people[i].ID, err)
			}
		}
		return nil
	})
	return n, err
}

// put writes one checked participant and has it published once it is applied.
func (e *Engine) put(tx *store.Tx, p *store.Participant, how Enrolment, n *enrolled) error {
	changes, err := tx.Put(p, classOf, how.Takeover)
	if err != nil {
		return err
	}
	switch own := changes[0]; {
	case own.Created:
		n.Created++
	case own.Unchanged:
		n.Unchanged++
		return nil
	default:
		n.Updated++
	}
	if len(changes) > 1 {
		tx.Audit(e.audit(how.Origin, "take over a contact", p.ID))
	}
	tx.OnApply(func() { e.publish(changes) })
	return nil
}

// Erase removes a participant and its contacts for good; the number inside is
// never given to anybody else. [ErrNotFound] if there is none.
func (e *Engine) Erase(ctx context.Context, id string, o Origin) error {
	if err := e.open(); err != nil {
		return err
	}
	return e.store.Update(ctx, func(tx *store.Tx) error {
		changes, err := tx.Erase(id)
		if err != nil {
			return notFound(err)
		}
		tx.Audit(e.audit(o, "erase", ""))
		tx.OnApply(func() { e.publish(changes) })
		return nil
	})
}

func (e *Engine) audit(o Origin, verb, subject string) store.AuditRecord {
	caller := o.Caller
	if caller == "" {
		caller = "library"
	}
	return store.AuditRecord{At: e.cfg.Now(), Actor: caller, Verb: verb, Subject: subject}
}

// check refuses what the store would not, but the engine cannot serve.
func (e *Engine) check(p *store.Participant) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if _, err := e.zones.load(p.Timezone); err != nil {
		return &FieldError{Path: "timezone", Message: "is not known here"}
	}
	for i := range p.Places {
		place := &p.Places[i]
		path := fmt.Sprintf("places[%d]", i)
		switch {
		case len(place.Area) > 0:
			return &FieldError{Path: path + ".area", Message: "places with an area are not built yet", Err: ErrNotBuilt}
		case place.Point == nil:
			return &FieldError{Path: path + ".postcode", Message: "places with only a postcode are not built yet", Err: ErrNotBuilt}
		case len(place.Channels) > maxPreferences:
			return &FieldError{Path: path + ".channels", Message: fmt.Sprintf("%d channels, at most %d", len(place.Channels), maxPreferences)}
		}
		for k, kind := range place.Kinds {
			if Kind(kind).bit() == 0 {
				return &FieldError{Path: fmt.Sprintf("%s.kinds[%d]", path, k), Message: fmt.Sprintf("%q is not a kind: %v", kind, kinds)}
			}
		}
	}
	return nil
}

// notFound turns the store's word into the engine's.
func notFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrNotFound
	}
	return err
}
