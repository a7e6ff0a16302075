package daemon

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// refusal is an error of the daemon's own: what a request lacks.
type refusal struct {
	status   int
	location string // JSON path, or ""
	message  string
}

// Error is the sentence.
func (r *refusal) Error() string { return r.message }

func refuse(status int, location, format string, args ...any) error {
	return &refusal{status, location, fmt.Sprintf(format, args...)}
}

// problem turns an error into an answer (RFC 9457), by table. What is not in the
// table is a fault of ours: it is logged, and the caller gets a fixed text.
func (d *Daemon) problem(err error) *huma.ErrorModel {
	status, detail, location := classify(err)
	if status == http.StatusInternalServerError {
		d.log.Error("request failed", "error", err)
	}
	d.metrics.refused.WithLabelValues(http.StatusText(status)).Inc()
	p := &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}
	if location != "" {
		p.Errors = []*huma.ErrorDetail{{Location: location, Message: detail}}
		p.Detail = location + ": " + detail
	}
	return p
}

// classify is the one table of errors: status, sentence, and where in the request.
func classify(err error) (status int, detail, location string) {
	var own *refusal
	var action *fanout.FieldError
	var person *store.FieldError
	var area *geoindex.AreaError
	var conflict *store.ConflictError
	var recipients *fanout.RecipientsError
	switch {
	case errors.As(err, &own):
		return own.status, own.message, own.location
	case errors.As(err, &action):
		return unprocessable(err, fanout.ErrNotBuilt), action.Message, inBody(action.Path)
	case errors.As(err, &area):
		return unprocessable(err, geoindex.ErrNotBuilt), area.Message, inBody("area." + area.Path)
	case errors.As(err, &person):
		return http.StatusUnprocessableEntity, person.Message, inBody(person.Path)
	case errors.As(err, &conflict):
		return http.StatusConflict, "belongs to another participant", inBody("contacts." + conflict.Channel)
	case errors.As(err, &recipients):
		return http.StatusConflict, recipients.Error(), ""
	}
	for _, row := range []struct {
		err    error
		status int
		detail string
	}{
		{fanout.ErrNotFound, http.StatusNotFound, "there is none of this ID"},
		{store.ErrNotFound, http.StatusNotFound, "there is none of this ID"},
		{fanout.ErrStatus, http.StatusConflict, err.Error()},
		{fanout.ErrTextRequired, http.StatusUnprocessableEntity, "people were reached: a text for them is required"},
		{fanout.ErrKeyReused, http.StatusUnprocessableEntity, "the Idempotency-Key was used for another request"},
		{store.ErrNotEmpty, http.StatusConflict, "others enrolled people meanwhile: import again"},
		{fanout.ErrClosed, http.StatusServiceUnavailable, "the daemon is stopping"},
		{store.ErrClosed, http.StatusServiceUnavailable, "the daemon is stopping"},
	} {
		if errors.Is(err, row.err) {
			return row.status, row.detail, ""
		}
	}
	return http.StatusInternalServerError, "something went wrong here; it has been logged", ""
}

// unprocessable is 422, or 501 for what the contract has and this version has not.
func unprocessable(err, notBuilt error) int {
	if errors.Is(err, notBuilt) {
		return http.StatusNotImplemented
	}
	return http.StatusUnprocessableEntity
}

func inBody(path string) string { return "body." + path }
