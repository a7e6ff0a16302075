package fanout

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// Line is one participant of an import, as JSON.
type Line struct {
	Number int // in its source, from 1
	JSON   []byte
}

// Reject is a line that was left out, and why. It never repeats a contact.
type Reject struct {
	Line   int    `json:"line"`
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// ImportReport counts what became of an import's lines.
type ImportReport struct {
	Read      int           `json:"read"`
	Created   int           `json:"created"`
	Updated   int           `json:"updated"`
	Unchanged int           `json:"unchanged"`
	Rejected  int           `json:"rejected"`
	Repeated  int           `json:"repeated"` // lines whose ID came again later: the last counts
	Rejects   []Reject      `json:"rejects"`  // the first 1000
	Took      time.Duration `json:"-"`
}

const (
	maxRejects = 1000
	maxLine    = 1 << 20
	chunkLines = 1000 // of an import into a store that has people: one synced write each
)

// SourceError says at which line a source of lines could not be read on.
type SourceError struct {
	Line int
	Err  error
}

// Error names the line.
func (e *SourceError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap gives the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// Lines reads NDJSON: a line each, empty ones skipped. A line above 1 MiB ends
// the iteration with a [*SourceError], as does a failure of r. The bytes are the
// caller's to keep.
func Lines(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		scan := bufio.NewScanner(r)
		scan.Buffer(make([]byte, 64<<10), maxLine)
		number := 0
		for scan.Scan() {
			number++
			if text := bytes.TrimSpace(scan.Bytes()); len(text) > 0 && !yield(Line{number, bytes.Clone(text)}, nil) {
				return
			}
		}
		if err := scan.Err(); err != nil {
			yield(Line{}, &SourceError{Line: number + 1, Err: err})
		}
	}
}

// Import creates or replaces a participant for each line; absent ones are
// untouched. A bad line is rejected alone. Into an empty store everything goes at
// once, sorted so that neighbours lie together, and is there whole or not at
// all; else in synced chunks. Memory is some 300 bytes a participant in the
// first case, and bounded in the second. The report counts what was done also
// when an error ends the import.
func (e *Engine) Import(ctx context.Context, lines iter.Seq2[Line, error], how Enrolment) (ImportReport, error) {
	if err := e.open(); err != nil {
		return ImportReport{}, err
	}
	started := time.Now()
	report := &report{engine: e}
	bulk, err := e.store.Bulk(func(lat, lng int32) uint32 { return geoindex.Hilbert(geoindex.Point{Lat: lat, Lng: lng}) })
	switch {
	case err == nil:
		err = e.importBulk(ctx, lines, bulk, how, report)
	case errors.Is(err, store.ErrNotEmpty):
		err = e.importChunks(ctx, lines, how, report)
	}
	slices.SortFunc(report.Rejects, func(a, b Reject) int { return a.Line - b.Line })
	report.Took = time.Since(started)
	return report.ImportReport, err
}

// report collects from several goroutines.
type report struct {
	engine     *Engine
	sync.Mutex // guards the rest
	ImportReport
}

func (r *report) reject(line int, id string, err error) {
	r.Lock()
	defer r.Unlock()
	r.Rejected++
	if len(r.Rejects) < maxRejects {
		r.Rejects = append(r.Rejects, Reject{line, id, err.Error()})
	}
}

func (r *report) add(n enrolled) {
	r.Lock()
	defer r.Unlock()
	r.Created += n.Created
	r.Updated += n.Updated
	r.Unchanged += n.Unchanged
}

// parsed is a line that was read and checked.
type parsed struct {
	Line
	who store.Participant
}

// parse reads chunks of lines on all cores and calls do with the good ones of
// each. The first error, of the source or of do, ends it.
func (r *report) parse(ctx context.Context, lines iter.Seq2[Line, error], workers int, do func([]parsed) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	chunks := make(chan []Line, 2*workers)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for chunk := range chunks {
				if err := do(r.decode(chunk)); err != nil {
					cancel(err)
				}
			}
		})
	}
	var chunk []Line
	send := func() {
		select {
		case chunks <- chunk:
		case <-ctx.Done():
		}
		chunk = nil
	}
	for line, err := range lines {
		if err != nil {
			cancel(err)
		}
		if ctx.Err() != nil {
			break
		}
		r.Read++ // only this goroutine, until the group is waited for
		if chunk = append(chunk, line); len(chunk) == chunkLines {
			send()
		}
	}
	send()
	close(chunks)
	group.Wait()
	return context.Cause(ctx)
}

func (r *report) decode(chunk []Line) []parsed {
	good := make([]parsed, 0, len(chunk))
	for _, line := range chunk {
		p := parsed{Line: line}
		err := json.Unmarshal(line.JSON, &p.who, json.RejectUnknownMembers(true))
		if err == nil {
			err = r.engine.check(&p.who)
		}
		if err != nil {
			r.reject(line.Number, p.who.ID, err)
			continue
		}
		good = append(good, p)
	}
	return good
}

// importBulk fills an empty store and loads the index from it.
func (e *Engine) importBulk(ctx context.Context, lines iter.Seq2[Line, error], bulk *store.Bulk, how Enrolment, r *report) error {
	defer bulk.Close()
	err := r.parse(ctx, lines, runtime.GOMAXPROCS(0), func(chunk []parsed) error {
		for i := range chunk {
			if err := bulk.Add(chunk[i].Number, &chunk[i].who, classOf); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	done, err := bulk.Finish(ctx, e.audit(how.Origin, "import", ""))
	if err != nil {
		return err
	}
	r.Created, r.Repeated = done.Created, done.Replaced
	for _, reject := range done.Rejects {
		r.reject(reject.Line, reject.ID, errors.New(reject.Reason))
	}
	// No change may come between reading the store and showing it: the writer
	// lock is held meanwhile. What is durable is shown, even if ctx has ended.
	ctx = context.WithoutCancel(ctx)
	return e.store.Update(ctx, func(*store.Tx) error { return e.load(ctx) })
}

// importChunks adds to a store that has people. Lines stay in order: the last
// of an ID counts.
func (e *Engine) importChunks(ctx context.Context, lines iter.Seq2[Line, error], how Enrolment, r *report) error {
	return r.parse(ctx, lines, 1, func(chunk []parsed) error {
		n, err := e.importChunk(ctx, chunk, how, r)
		if err == nil {
			r.add(n)
		}
		return err
	})
}

func (e *Engine) importChunk(ctx context.Context, chunk []parsed, how Enrolment, r *report) (enrolled, error) {
	var n enrolled
	var rejects []Reject
	err := e.store.Update(ctx, func(tx *store.Tx) error {
		n, rejects = enrolled{}, nil
		for i := range chunk {
			err := e.put(tx, &chunk[i].who, how, &n)
			var conflict *store.ConflictError
			switch {
			case errors.As(err, &conflict):
				conflict.Owner = "" // an import's report does not tell whose it is
				rejects = append(rejects, Reject{chunk[i].Number, chunk[i].who.ID, conflict.Error()})
			case err != nil:
				return fmt.Errorf("line %d: %w", chunk[i].Number, err)
			}
		}
		if n.Created+n.Updated > 0 {
			tx.Audit(e.audit(how.Origin, "import", ""))
		}
		return nil
	})
	for _, reject := range rejects {
		r.reject(reject.Line, reject.ID, errors.New(reject.Reason))
	}
	return n, err
}
