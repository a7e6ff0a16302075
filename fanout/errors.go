package fanout

import (
	"errors"
	"fmt"

	"github.com/crierd/crier/geoindex"
)

// What a caller branches on.
var (
	// About the request.
	ErrNotFound     = errors.New("fanout: not found")
	ErrNotBuilt     = errors.New("fanout: not built yet")
	ErrTextRequired = errors.New("fanout: a text is required: people were reached")
	ErrKeyReused    = errors.New("fanout: idempotency key was used for another request")

	// About the moment.
	ErrStatus = errors.New("fanout: not possible in this status")
	ErrClosed = errors.New("fanout: engine is closed")
)

// FieldError refuses a field of an [Action]. Path is a JSON path as in the
// contract ("area.geometry.coordinates[0][3]").
type FieldError struct {
	Path    string
	Message string
	Err     error // what it stands for, [ErrNotBuilt] say; or nil
}

// Error names the field.
func (e *FieldError) Error() string { return e.Path + ": " + e.Message }

// Unwrap gives what it stands for.
func (e *FieldError) Unwrap() error { return e.Err }

// RecipientsError refuses to start an action whose recipients are no longer
// those of the digest that the caller saw.
type RecipientsError struct {
	Seen, Now int // participants, each once
}

// Error tells both counts.
func (e *RecipientsError) Error() string {
	return fmt.Sprintf("fanout: recipients changed: %d were seen, %d are found now", e.Seen, e.Now)
}

// StatusError says which status stood in the way; it is an [ErrStatus].
type StatusError struct {
	Action string
	Status Status
	Verb   string
}

// Error tells what was wanted, and the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("fanout: cannot %s %s: it is %s", e.Verb, e.Action, e.Status)
}

// Is says that it is an [ErrStatus].
func (e *StatusError) Is(target error) bool { return target == ErrStatus }

// areaError puts an area's own path behind that of the action's field.
func areaError(err error) error {
	var area *geoindex.AreaError
	if !errors.As(err, &area) {
		return err
	}
	return &FieldError{Path: "area." + area.Path, Message: area.Message, Err: err}
}
