package daemon

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/crierd/crier/fanout"
)

func (d *Daemon) ledgerCalls() {
	call(d, admin, huma.Operation{
		OperationID: "ledger", Method: http.MethodGet, Path: "/v1/actions/{id}/ledger", Summary: "What became of every recipient, as NDJSON",
	}, nil, d.ledger)
	call(d, observe, huma.Operation{
		OperationID: "action-events", Method: http.MethodGet, Path: "/v1/actions/{id}/events", Summary: "What happens to an action, as server-sent events",
	}, nil, func(ctx context.Context, in *eventsQuery) (*huma.StreamResponse, error) {
		return d.events(ctx, in.ID, in)
	})
	call(d, observe, huma.Operation{
		OperationID: "events", Method: http.MethodGet, Path: "/v1/events", Summary: "What happens to all actions, as server-sent events",
	}, nil, func(ctx context.Context, in *allEventsQuery) (*huma.StreamResponse, error) {
		return d.events(ctx, "", &eventsQuery{Last: in.Last})
	})
}

type ledgerQuery struct {
	Identified
	Message int    `query:"message" minimum:"1"`
	Channel string `query:"channel" maxLength:"32"`
	Outcome string `query:"outcome" enum:"pending,unknown,accepted,rejected,failed,expired,withdrawn,missed"`
}

// ledgerRow is one recipient and channel attempted.
type ledgerRow struct {
	Participant *string        `json:"participant"`
	Erased      bool           `json:"erased,omitzero"`
	Message     int            `json:"message"`
	Phase       fanout.Phase   `json:"phase"`
	Channel     string         `json:"channel"`
	Outcome     fanout.Outcome `json:"outcome"`
	At          *time.Time     `json:"at"`
	Reason      *string        `json:"reason"`
}

func newLedgerRow(r fanout.Row) ledgerRow {
	row := ledgerRow{Message: r.Message, Phase: r.Phase, Channel: r.Channel, Outcome: r.Outcome, Erased: r.Participant == ""}
	if r.Participant != "" {
		row.Participant = &r.Participant
	}
	if !r.At.IsZero() {
		row.At = &r.At
	}
	if r.Reason != "" {
		row.Reason = &r.Reason
	}
	return row
}

func (d *Daemon) ledger(_ context.Context, in *ledgerQuery) (*huma.StreamResponse, error) {
	if _, err := d.engine.Action(in.ID); err != nil {
		return nil, err
	}
	query := fanout.Query{Message: in.Message, Channel: in.Channel, Outcome: in.Outcome}
	return d.stream("application/x-ndjson", func(w http.ResponseWriter, control *http.ResponseController) error {
		out := lines{w: w, control: control}
		for row, err := range d.engine.Ledger(in.ID, query) {
			if err != nil {
				return err
			}
			if err := out.put(newLedgerRow(row)); err != nil {
				return err
			}
		}
		return out.flush()
	}), nil
}

type allEventsQuery struct {
	Last string `header:"Last-Event-ID" doc:"go on after this event"`
}

type eventsQuery struct {
	Identified
	Last string `header:"Last-Event-ID" doc:"go on after this event"`
}

// heartbeat keeps connections on which nothing happens open.
const heartbeat = 15 * time.Second

func (d *Daemon) events(ctx context.Context, id string, in *eventsQuery) (*huma.StreamResponse, error) {
	if id != "" {
		if _, err := d.engine.Action(id); err != nil {
			return nil, err
		}
	}
	var last uint64
	if in.Last != "" {
		var err error
		if last, err = strconv.ParseUint(in.Last, 10, 64); err != nil {
			return nil, refuse(http.StatusUnprocessableEntity, "header.Last-Event-ID", "is not the ID of an event")
		}
	}
	return d.stream("text/event-stream", func(w http.ResponseWriter, control *http.ResponseController) error {
		w.Header().Set("Cache-Control", "no-cache")
		err := d.follow(ctx, id, last, func(text string) error {
			_ = control.SetWriteDeadline(time.Now().Add(stall)) // a connection that cannot has none
			if _, err := fmt.Fprint(w, text); err != nil {
				return err
			}
			return control.Flush()
		})
		if ctx.Err() != nil {
			err = nil // the reader has gone
		}
		return err
	}), nil
}

// follow writes events as they come, and a comment now and then.
func (d *Daemon) follow(ctx context.Context, id string, last uint64, write func(string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := make(chan fanout.Event)
	go func() {
		defer close(events)
		for ev := range d.engine.Events(ctx, id, last) {
			select {
			case events <- ev:
			case <-ctx.Done():
				return
			}
		}
	}()
	if err := write(": crier\n\n"); err != nil {
		return err
	}
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		text := ":\n\n"
		select {
		case ev, ok := <-events:
			if !ok {
				return ctx.Err()
			}
			data, err := json.Marshal(ev, json.Deterministic(true))
			if err != nil {
				return err
			}
			text = fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", ev.Number, ev.Type, data)
		case <-tick.C:
		}
		if err := write(text); err != nil {
			return err
		}
	}
}
