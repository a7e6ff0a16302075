package daemon

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"

	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/store"
)

func (d *Daemon) participantCalls() {
	call(d, enrol, huma.Operation{
		OperationID: "put-participant", Method: http.MethodPut, Path: "/v1/participants/{id}", Summary: "Create (201) or replace (200) a participant",
	}, new(store.Participant), d.putParticipant)
	call(d, enrol, huma.Operation{
		OperationID: "participant", Method: http.MethodGet, Path: "/v1/participants/{id}", Summary: "Read a participant",
	}, nil, func(_ context.Context, in *Identified) (*answer[*store.Participant], error) {
		p, err := d.store.Participant(in.ID)
		return &answer[*store.Participant]{p}, err
	})
	call(d, enrol, huma.Operation{
		OperationID: "erase-participant", Method: http.MethodDelete, Path: "/v1/participants/{id}", Summary: "Erase a participant; 204 also when it is gone already",
		DefaultStatus: http.StatusNoContent,
	}, nil, func(ctx context.Context, in *Identified) (*struct{}, error) {
		err := d.engine.Erase(ctx, in.ID, fanout.Origin{Caller: callerOf(ctx).id})
		if errors.Is(err, fanout.ErrNotFound) {
			err = nil
		}
		return nil, err
	})
	call(d, enrol, huma.Operation{
		OperationID: "import-participants", Method: http.MethodPost, Path: "/v1/participants/import",
		Summary:     "Import NDJSON, a participant a line; plain, or by Content-Encoding gzip or zstd",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/x-ndjson": {}}},
	}, nil, d.importParticipants)
	call(d, admin, huma.Operation{
		OperationID: "export-participants", Method: http.MethodGet, Path: "/v1/participants/export", Summary: "All participants as NDJSON, in order of ID",
	}, nil, d.exportParticipants)
	call(d, observe, huma.Operation{
		OperationID: "stats", Method: http.MethodGet, Path: "/v1/stats", Summary: "What is in the store and the index",
	}, nil, d.stats)
}

type putRequest struct {
	Identified
	Bodied
	Takeover bool `query:"takeover" doc:"move a contact that belongs to another participant here; needs the scope admin"`
}

type putAnswer struct {
	Status int
	Body   *store.Participant
}

func (d *Daemon) putParticipant(ctx context.Context, in *putRequest) (*putAnswer, error) {
	p, err := decode[store.Participant](in.RawBody)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	switch {
	case p.ID == "":
		p.ID = in.ID
	case p.ID != in.ID:
		return nil, refuse(http.StatusUnprocessableEntity, "body.id", "is not the ID of the path")
	}
	if in.Takeover && !who.may(admin) {
		return nil, refuse(http.StatusForbidden, "query.takeover", "the token lacks the scope %q", admin)
	}
	created, err := d.engine.Put(ctx, p, fanout.Enrolment{Takeover: in.Takeover, Origin: fanout.Origin{Caller: who.id}})
	var conflict *store.ConflictError
	if errors.As(err, &conflict) && who.may(admin) {
		return nil, refuse(http.StatusConflict, inBody("contacts."+conflict.Channel), "belongs to participant %q", conflict.Owner)
	}
	if err != nil {
		return nil, err
	}
	if created {
		return &putAnswer{http.StatusCreated, &p}, nil
	}
	return &putAnswer{http.StatusOK, &p}, nil
}

// Streamed gives a handler the request and the answer themselves.
type Streamed struct{ context huma.Context }

// Resolve is called by huma with the request.
func (s *Streamed) Resolve(ctx huma.Context) []error {
	s.context = ctx
	return nil
}

var _ huma.Resolver = (*Streamed)(nil)

type importRequest struct {
	Streamed
	Takeover bool `query:"takeover" doc:"move contacts that belong to others; needs the scope admin"`
}

// stall is how long a stream may stand still.
const stall = time.Minute

func (d *Daemon) importParticipants(ctx context.Context, in *importRequest) (*answer[fanout.ImportReport], error) {
	who := callerOf(ctx)
	if in.Takeover && !who.may(admin) {
		return nil, refuse(http.StatusForbidden, "query.takeover", "the token lacks the scope %q", admin)
	}
	r, w := humago.Unwrap(in.context)
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // the answer comes after the last line
	body, end, err := unpacked(&patient{r.Body, control}, r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	defer end()
	report, err := d.engine.Import(ctx, fanout.Lines(body), fanout.Enrolment{Takeover: in.Takeover, Origin: fanout.Origin{Caller: who.id}})
	if report.Rejects == nil {
		report.Rejects = []fanout.Reject{}
	}
	var source *fanout.SourceError
	if errors.As(err, &source) {
		return nil, refuse(http.StatusBadRequest, fmt.Sprintf("body line %d", source.Line), "%v", source.Err)
	}
	return &answer[fanout.ImportReport]{report}, err
}

// patient moves the deadline of a stream with every part of it that comes.
type patient struct {
	body    io.Reader
	control *http.ResponseController
}

// Read reads on for as long as something comes.
func (p *patient) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(stall)) // a connection that cannot has none
	return p.body.Read(b)
}

// unpacked reads a body by its encoding.
func unpacked(body io.Reader, encoding string) (io.Reader, func(), error) {
	switch encoding {
	case "", "identity":
		return body, func() {}, nil
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, nil, refuse(http.StatusBadRequest, "body", "is not gzip")
		}
		return z, func() { _ = z.Close() }, nil
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, nil, refuse(http.StatusBadRequest, "body", "is not zstd")
		}
		return z, z.Close, nil
	}
	return nil, nil, refuse(http.StatusUnsupportedMediaType, "header.Content-Encoding", "is not gzip or zstd")
}

// stream answers with what write writes. An error after the first byte can only
// break the connection off, so that nobody takes a part for the whole.
func (d *Daemon) stream(contentType string, write func(http.ResponseWriter, *http.ResponseController) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		control := http.NewResponseController(w)
		w.Header().Set("Content-Type", contentType)
		if err := write(w, control); err != nil {
			d.log.Warn("stream broken off", "error", err)
			panic(http.ErrAbortHandler) // net/http's way to break a connection off
		}
	}}
}

// lines writes NDJSON, and lets the reader be slow but not stand still.
type lines struct {
	w       io.Writer
	control *http.ResponseController
	buffer  bytes.Buffer
}

func (l *lines) put(v any) error {
	if err := json.MarshalWrite(&l.buffer, v, json.Deterministic(true)); err != nil {
		return err
	}
	l.buffer.WriteByte('\n')
	if l.buffer.Len() < 32<<10 {
		return nil
	}
	return l.flush()
}

func (l *lines) flush() error {
	_ = l.control.SetWriteDeadline(time.Now().Add(stall)) // a connection that cannot has none
	_, err := l.buffer.WriteTo(l.w)
	return err
}

func (d *Daemon) exportParticipants(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return d.stream("application/x-ndjson", func(w http.ResponseWriter, control *http.ResponseController) error {
		out := lines{w: w, control: control}
		for p, err := range d.store.Participants("") {
			if err != nil {
				return err
			}
			if err := out.put(p); err != nil {
				return err
			}
		}
		return out.flush()
	}), nil
}

type statsAnswer struct {
	Participants int            `json:"participants"`
	Places       int            `json:"places"`
	Contacts     map[string]int `json:"contacts"`
	Index        struct {
		Points int `json:"points"`
		Bytes  int `json:"bytes"`
	} `json:"index"`
	Store struct {
		Bytes uint64 `json:"bytes"`
	} `json:"store"`
	Sequence uint64 `json:"sequence"`
}

func (d *Daemon) stats(context.Context, *struct{}) (*answer[*statsAnswer], error) {
	st := d.store.Stats()
	a := &statsAnswer{Participants: st.Participants, Places: st.Places, Contacts: st.Contacts, Sequence: st.Sequence}
	a.Store.Bytes = st.Bytes
	a.Index.Points, a.Index.Bytes = d.engine.IndexSize()
	return &answer[*statsAnswer]{a}, nil
}
