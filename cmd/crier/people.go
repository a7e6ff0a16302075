package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/crierd/crier/bench"
	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/store"
)

type generateCommand struct {
	Participants int    `help:"How many." default:"2400000"`
	Seed         uint64 `help:"The same seed makes the same people." default:"1"`
	Output       string `short:"o" help:"File to write, packed if it ends in .gz or .zst. Default: standard output."`
}

// Run makes people up.
func (c *generateCommand) Run(ctx context.Context, term *terminal) error {
	if c.Participants < 0 || c.Participants > 90_000_000 {
		return errors.New("--participants: is not 0 to 90,000,000")
	}
	return generate(ctx, term, bench.Population{People: c.Participants, Seed: c.Seed}, c.Output)
}

func generate(ctx context.Context, term *terminal, p bench.Population, path string) error {
	w, end, err := createFile(path, term.out)
	if err != nil {
		return err
	}
	bar := newProgress(term, "generate", p.People)
	if err := errors.Join(p.Write(ctx, w, bar.at), end()); err != nil {
		return err
	}
	bar.done(p.People)
	return nil
}

// remote or local: a running daemon, or a directory that no daemon has open.
type target struct {
	Server string `help:"Address of a running daemon." default:"http://127.0.0.1:7700" env:"CRIER_SERVER"`
	Token  string `help:"Its bearer token." env:"CRIER_TOKEN"`
	Data   string `help:"Directory of a store, instead of a daemon."`
}

// with opens the store's directory and an engine that sends nothing.
func (t *target) with(ctx context.Context, use func(*store.Store, *fanout.Engine) error) error {
	st, err := store.Open(t.Data, nil)
	if err != nil {
		return err
	}
	eng, err := fanout.Open(ctx, st, fanout.Config{})
	if err != nil {
		return errors.Join(err, st.Close())
	}
	return errors.Join(use(st, eng), eng.Close(), st.Close())
}

type importCommand struct {
	target
	Files []string `arg:"" help:"NDJSON files; - is standard input."`
	JSON  bool     `help:"Print the report as JSON."`
}

// Run imports file after file; the first that cannot be read ends it.
func (c *importCommand) Run(ctx context.Context, term *terminal) error {
	for _, path := range c.Files {
		in, end, err := openFile(path)
		if err != nil {
			return err
		}
		report, err := c.one(ctx, term, in)
		if err = errors.Join(err, end()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := c.print(term, path, report); err != nil {
			return err
		}
	}
	return nil
}

func (c *importCommand) one(ctx context.Context, term *terminal, in io.Reader) (report fanout.ImportReport, err error) {
	if c.Data == "" {
		err = c.client().call(ctx, http.MethodPost, "/v1/participants/import", in, &report)
		return report, err
	}
	err = c.with(ctx, func(_ *store.Store, eng *fanout.Engine) error {
		bar := newProgress(term, "import", 0)
		report, err = eng.Import(ctx, counted(fanout.Lines(in), bar), fanout.Enrolment{Origin: fanout.Origin{Caller: "import"}})
		bar.done(report.Read)
		return err
	})
	return report, err
}

// counted shows how many lines have been read.
func counted(lines iter.Seq2[fanout.Line, error], bar *progress) iter.Seq2[fanout.Line, error] {
	return func(yield func(fanout.Line, error) bool) {
		n := 0
		for line, err := range lines {
			if n++; n%10_000 == 0 {
				bar.at(n)
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

func (c *importCommand) print(term *terminal, path string, r fanout.ImportReport) error {
	if c.JSON {
		return printJSON(term.out, r)
	}
	_, _ = fmt.Fprintf(term.out, "%s: %d read, %d created, %d updated, %d unchanged, %d rejected, %d given again later\n",
		path, r.Read, r.Created, r.Updated, r.Unchanged, r.Rejected, r.Repeated)
	for _, reject := range r.Rejects {
		_, _ = fmt.Fprintf(term.out, "  line %d (%s): %s\n", reject.Line, reject.ID, reject.Reason)
	}
	return nil
}

type exportCommand struct {
	target
	Output string `short:"o" help:"File to write, packed if it ends in .gz or .zst. Default: standard output."`
}

// Run exports everybody, in order of ID.
func (c *exportCommand) Run(ctx context.Context, term *terminal) error {
	w, end, err := createFile(c.Output, term.out)
	if err != nil {
		return err
	}
	if c.Data == "" {
		return errors.Join(c.client().copy(ctx, "/v1/participants/export", w), end())
	}
	err = c.with(ctx, func(st *store.Store, _ *fanout.Engine) error {
		for p, err := range st.Participants("") {
			if err != nil {
				return err
			}
			if err := json.MarshalWrite(w, p, json.Deterministic(true)); err != nil {
				return err
			}
			if _, err := w.Write([]byte{'\n'}); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, end())
}
