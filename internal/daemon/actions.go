package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/crierd/crier/fanout"
)

// Bodied is a request with a body, decoded here and not by huma: strictly, and
// without repeating what it holds in errors.
type Bodied struct {
	RawBody []byte `contentType:"application/json"`
}

// Keyed is a request that makes something, and is made once however often it comes.
type Keyed struct {
	Bodied
	Key string `header:"Idempotency-Key" maxLength:"255" doc:"required; the same key and body within 7 days: the same answer"`
}

// Identified is a request about one thing.
type Identified struct {
	ID string `path:"id" maxLength:"128"`
}

// KeyedAction is one that is about an action.
type KeyedAction struct {
	Identified
	Keyed
}

type answer[T any] struct{ Body T }

func (d *Daemon) actionCalls() {
	call(d, dispatch, huma.Operation{
		OperationID: "preview", Method: http.MethodPost, Path: "/v1/preview", Summary: "Show who would be told; changes nothing",
	}, new(actionRequest), d.preview)
	call(d, dispatch, huma.Operation{
		OperationID: "start", Method: http.MethodPost, Path: "/v1/actions", Summary: "Start an action", DefaultStatus: http.StatusCreated,
	}, new(actionRequest), d.start)
	call(d, observe, huma.Operation{
		OperationID: "list-actions", Method: http.MethodGet, Path: "/v1/actions", Summary: "List actions, the oldest first",
	}, nil, d.listActions)
	call(d, observe, huma.Operation{
		OperationID: "action", Method: http.MethodGet, Path: "/v1/actions/{id}", Summary: "How an action stands",
	}, nil, func(_ context.Context, in *Identified) (*answer[*actionAnswer], error) {
		return stands(d.engine.Action(in.ID))
	})
	call(d, dispatch, huma.Operation{
		OperationID: "pause", Method: http.MethodPost, Path: "/v1/actions/{id}/pause", Summary: "Pause within one batch",
	}, nil, func(ctx context.Context, in *Identified) (*answer[*actionAnswer], error) {
		return stands(d.engine.Pause(ctx, in.ID, fanout.Origin{Caller: callerOf(ctx).id}))
	})
	call(d, dispatch, huma.Operation{
		OperationID: "resume", Method: http.MethodPost, Path: "/v1/actions/{id}/resume", Summary: "Go on after a pause",
	}, nil, func(ctx context.Context, in *Identified) (*answer[*actionAnswer], error) {
		return stands(d.engine.Resume(ctx, in.ID, fanout.Origin{Caller: callerOf(ctx).id}))
	})
	call(d, dispatch, huma.Operation{
		OperationID: "close", Method: http.MethodPost, Path: "/v1/actions/{id}/close", Summary: "End an action: everyone reached gets the closing",
	}, new(closeRequest), d.close)
	call(d, dispatch, huma.Operation{
		OperationID: "cancel", Method: http.MethodPost, Path: "/v1/actions/{id}/cancel", Summary: "Call an action off: everyone reached gets the text as a correction",
	}, new(cancelRequest), d.cancel)
}

func stands(s fanout.State, err error) (*answer[*actionAnswer], error) {
	if err != nil {
		return nil, err
	}
	return &answer[*actionAnswer]{newAction(s)}, nil
}

func (d *Daemon) preview(ctx context.Context, in *Bodied) (*answer[*previewAnswer], error) {
	request, err := decode[actionRequest](in.RawBody)
	if err != nil {
		return nil, err
	}
	a, err := request.action(d.language)
	if err != nil {
		return nil, err
	}
	plan, err := d.engine.Plan(ctx, a)
	if err != nil {
		return nil, err
	}
	d.metrics.planned.Observe(plan.Took().Seconds())
	return &answer[*previewAnswer]{newPreview(plan)}, nil
}

func (d *Daemon) start(ctx context.Context, in *Keyed) (*answer[*actionAnswer], error) {
	request, err := decode[actionRequest](in.RawBody)
	if err != nil {
		return nil, err
	}
	a, err := request.action(d.language)
	if err != nil {
		return nil, err
	}
	var release func()
	if a.Origin, release, err = d.origin(ctx, in, "start"); err != nil {
		return nil, err
	}
	defer release()
	return stands(d.engine.Start(ctx, a))
}

// origin says who asks, under which key. A key that another request is being
// carried out under is refused until that has ended, which release says.
func (d *Daemon) origin(ctx context.Context, in *Keyed, what string) (o fanout.Origin, release func(), err error) {
	who := callerOf(ctx).id
	switch {
	case in.Key == "":
		return o, nil, refuse(http.StatusBadRequest, "header.Idempotency-Key", "is required")
	case strings.ContainsRune(in.Key, 0):
		return o, nil, refuse(http.StatusBadRequest, "header.Idempotency-Key", "holds a zero byte")
	}
	busy := who + "\x00" + in.Key
	if _, taken := d.busy.LoadOrStore(busy, true); taken {
		return o, nil, refuse(http.StatusConflict, "header.Idempotency-Key", "a request with this key is being carried out")
	}
	o = fanout.Origin{Caller: who, Key: in.Key, Fingerprint: sha256.Sum256(append([]byte(what+"\n"), in.RawBody...))}
	return o, func() { d.busy.Delete(busy) }, nil
}

// LastText is what those who were reached hear at the end.
type LastText struct {
	Title        string                 `json:"title,omitempty"`
	Text         string                 `json:"text,omitempty"`
	Translations map[string]translation `json:"translations,omitempty"`
}

// closeRequest ends an action.
type closeRequest struct {
	Result string `json:"result,omitempty" enum:"found,not_found,ended"`
	LastText
}

func (d *Daemon) close(ctx context.Context, in *KeyedAction) (*answer[*actionAnswer], error) {
	request, err := decode[closeRequest](in.RawBody)
	if err != nil {
		return nil, err
	}
	return d.end(ctx, in, "close", request.LastText, func(title, text fanout.Text, o fanout.Origin) (fanout.State, error) {
		return d.engine.Conclude(ctx, in.ID, fanout.Conclusion{Result: request.Result, Title: title, Text: text, Origin: o})
	})
}

// cancelRequest calls an action off. Its text is required as soon as anybody was
// reached.
type cancelRequest struct {
	Reason string `json:"reason,omitempty" maxLength:"1000"`
	LastText
}

func (d *Daemon) cancel(ctx context.Context, in *KeyedAction) (*answer[*actionAnswer], error) {
	request, err := decode[cancelRequest](in.RawBody)
	if err != nil {
		return nil, err
	}
	return d.end(ctx, in, "cancel", request.LastText, func(title, text fanout.Text, o fanout.Origin) (fanout.State, error) {
		return d.engine.Cancel(ctx, in.ID, fanout.Cancellation{Reason: request.Reason, Title: title, Text: text, Origin: o})
	})
}

// end ends an action under the request's key.
func (d *Daemon) end(ctx context.Context, in *KeyedAction, verb string, last LastText, do func(title, text fanout.Text, o fanout.Origin) (fanout.State, error)) (*answer[*actionAnswer], error) {
	title, text, err := texts(d.language, last.Title, last.Text, last.Translations)
	if err != nil {
		return nil, err
	}
	o, release, err := d.origin(ctx, &in.Keyed, verb+" "+in.ID)
	if err != nil {
		return nil, err
	}
	defer release()
	return stands(do(title, text, o))
}

// Paged asks for a part of a list.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" doc:"next of the answer before" maxLength:"256"`
}

type actionsQuery struct {
	Paged
	Status fanout.Status `query:"status" enum:"draft,running,paused,closing,closed,cancelled"`
}

type actionsAnswer struct {
	Actions []*actionAnswer `json:"actions"`
	Next    string          `json:"next,omitempty" doc:"cursor of the next page; none: this was the last"`
}

func (d *Daemon) listActions(_ context.Context, in *actionsQuery) (*answer[*actionsAnswer], error) {
	above, err := base64.RawURLEncoding.DecodeString(in.Cursor)
	if err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, "query.cursor", "is not a cursor of an answer")
	}
	page := &actionsAnswer{Actions: []*actionAnswer{}}
	for s, err := range d.engine.Actions(string(above)) {
		if err != nil {
			return nil, err
		}
		if in.Status != "" && s.Status != in.Status {
			continue
		}
		if len(page.Actions) == in.Limit {
			last := page.Actions[in.Limit-1].ID
			page.Next = base64.RawURLEncoding.EncodeToString([]byte(last))
			break
		}
		page.Actions = append(page.Actions, newAction(s))
	}
	return &answer[*actionsAnswer]{page}, nil
}

// weekOfKeys is how long idempotency keys are kept (contract section 1).
const weekOfKeys = 7 * 24 * time.Hour
