package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// actionFlags describe an action: a file in the contract's form, or a circle.
type actionFlags struct {
	File   string        `short:"f" help:"Action as JSON, in the form of POST /v1/actions." type:"existingfile" xor:"area"`
	Circle []float64     `help:"LATITUDE,LONGITUDE,METRES." xor:"area"`
	Kind   string        `help:"Kind of action." default:"missing"`
	Title  string        `help:"Title."`
	Text   string        `help:"Text."`
	Life   time.Duration `name:"deadline" help:"After this nobody gets the alert any more." default:"1h"`
	Drill  bool          `help:"An exercise: reaches recording sinks only."`
}

// body is what to post.
func (f *actionFlags) body() (any, error) {
	if f.File != "" {
		text, err := os.ReadFile(f.File)
		return jsontext.Value(text), err
	}
	if len(f.Circle) != 3 {
		return nil, fmt.Errorf("--circle: is not LATITUDE,LONGITUDE,METRES, and there is no --file")
	}
	return map[string]any{
		"kind": f.Kind, "title": f.Title, "text": f.Text, "deadline": f.Life.String(), "drill": f.Drill,
		"area": geoindex.Circle(geoindex.At(f.Circle[0], f.Circle[1]), f.Circle[2]),
	}, nil
}

type previewCommand struct {
	target
	actionFlags
}

// Run prints the daemon's preview.
func (c *previewCommand) Run(ctx context.Context, term *terminal) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	return c.client().post(ctx, term, "/v1/preview", body)
}

type startCommand struct {
	target
	actionFlags
}

// Run starts the action and prints it.
func (c *startCommand) Run(ctx context.Context, term *terminal) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	return c.client().post(ctx, term, "/v1/actions", body)
}

type statusCommand struct {
	target
	Action string `arg:"" help:"ID of the action."`
}

// Run prints how the action stands.
func (c *statusCommand) Run(ctx context.Context, term *terminal) error {
	var answer jsontext.Value
	if err := c.client().call(ctx, http.MethodGet, "/v1/actions/"+url.PathEscape(c.Action), nil, &answer); err != nil {
		return err
	}
	return printJSON(term.out, answer)
}

type closeCommand struct {
	target
	Action string `arg:"" help:"ID of the action."`
	Text   string `arg:"" help:"What everyone reached hears."`
	Result string `help:"How it ended." enum:"found,not_found,ended" default:"ended"`
}

// Run ends the action and prints it.
func (c *closeCommand) Run(ctx context.Context, term *terminal) error {
	body := map[string]string{"result": c.Result, "text": c.Text}
	return c.client().post(ctx, term, "/v1/actions/"+url.PathEscape(c.Action)+"/close", body)
}

type missedCommand struct {
	target
	Action string `arg:"" help:"ID of the action."`
}

// Run prints the rows of the ledger, as NDJSON.
func (c *missedCommand) Run(ctx context.Context, term *terminal) error {
	return c.client().copy(ctx, "/v1/actions/"+url.PathEscape(c.Action)+"/ledger?outcome=missed", term.out)
}

type auditCommands struct {
	Verify auditVerify `cmd:"" help:"Read the audit chain and check that no record was changed or left out."`
}

type auditVerify struct {
	Data string `help:"Directory of the store." default:"crier-data"`
}

// Run reads the whole chain.
func (c *auditVerify) Run(term *terminal) error {
	st, err := store.Open(c.Data, nil)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	for _, err := range st.Audit() {
		if err != nil {
			return err
		}
	}
	n, head := st.AuditHead()
	_, err = fmt.Fprintf(term.out, "%d records, whole; the last has the hash %x\n", n, head)
	return err
}
