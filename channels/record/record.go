// Package record is the sink that sends nothing: it writes what it was handed
// to files, for demonstrations, drills and tests.
//
// There is one file an action and channel, named action.channel.ndjson, and in
// it one JSON object a line for each recipient of each attempt:
//
//	{"key":"…","batch":"a-…/1/sms/0/17","action":"a-…","message":1,"attempt":1,
//	 "phase":"alert","channel":"sms","kind":"missing","drill":false,
//	 "lang":"nl","title":"…","text":"…"}
//
// The idempotency key stands for the recipient. Contacts ("to") are written
// only by a sink that was asked for them, and files are readable by their owner
// alone either way.
package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/crierd/crier/channels"
)

// What a sink refuses.
var (
	ErrClosed = errors.New("record: sink is closed")
	ErrName   = errors.New("record: action or channel cannot be part of a file name")
)

// Config says how to record. The zero Config is right for real actions: no
// contacts.
type Config struct {
	// Contacts has the contacts written too; only for made-up people and for
	// drills. default: false, keys alone
	Contacts bool
}

// Sink writes batches to files. [Open] is the only way to one. It is safe for
// concurrent use within one process; two processes must not share a directory.
type Sink struct {
	dir      string
	contacts bool

	mu     sync.Mutex // guards closed, and every file: rows of two batches never mix
	closed bool
}

var _ channels.Sink = (*Sink)(nil)

// Open returns a sink that records into dir, which is made (mode 0700) if it
// does not exist. Files that are already there are appended to.
func Open(dir string, c Config) (*Sink, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	return &Sink{dir: dir, contacts: c.Contacts}, nil
}

// Close waits for a batch that is being written and refuses all later ones with
// [ErrClosed]. Closing twice is harmless. It never fails.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Send appends one row a recipient and accepts them all, once the operating
// system has the rows: what was answered outlives the process, though not a
// power cut. A batch is written whole or not at all, and not once ctx is done.
func (s *Sink) Send(ctx context.Context, b *channels.Batch) ([]channels.Answer, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	if len(b.Recipients) == 0 {
		return nil, nil
	}
	if !nameable(b.Action) || !nameable(b.Channel) {
		return nil, ErrName
	}
	rows, err := s.rows(b)
	if err != nil {
		return nil, err
	}
	if err := s.append(ctx, b.Action+"."+b.Channel+".ndjson", rows); err != nil {
		return nil, err
	}
	answers := make([]channels.Answer, len(b.Recipients))
	for i := range answers {
		answers[i].Verdict = channels.Accepted
	}
	return answers, nil
}

// nameable keeps a batch from choosing the directory it is written to.
func nameable(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

type row struct {
	Key     string            `json:"key"`
	To      string            `json:"to,omitempty"`
	Batch   string            `json:"batch"`
	Action  string            `json:"action"`
	Message int               `json:"message"`
	Attempt int               `json:"attempt"`
	Phase   string            `json:"phase"`
	Channel string            `json:"channel"`
	Kind    string            `json:"kind"`
	Drill   bool              `json:"drill"`
	Lang    string            `json:"lang"`
	Title   string            `json:"title,omitempty"`
	Text    string            `json:"text"`
	Vars    map[string]string `json:"vars,omitempty"`
}

func (s *Sink) rows(b *channels.Batch) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	line := row{
		Batch: b.ID, Action: b.Action, Message: b.Message, Attempt: b.Attempt,
		Phase: b.Phase, Channel: b.Channel, Kind: b.Kind, Drill: b.Drill,
	}
	for i := range b.Recipients {
		r := &b.Recipients[i]
		text := b.Texts[r.Lang]
		line.Key, line.Lang, line.Vars, line.Title, line.Text = r.Key, r.Lang, r.Vars, text.Title, text.Text
		if s.contacts {
			line.To = r.To.Reveal()
		}
		if err := enc.Encode(&line); err != nil {
			return nil, fmt.Errorf("record: encode batch: %w", err)
		}
	}
	return out.Bytes(), nil
}

// append opens the file for this one write. Keeping files open would save some
// 20 µs a batch and cost a descriptor an action and channel.
func (s *Sink) append(ctx context.Context, name string, rows []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("record batch: %w", err)
	}
	end, err := whole(f)
	if err == nil {
		if _, err = f.WriteAt(rows, end); err != nil {
			err = errors.Join(err, f.Truncate(end))
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("record batch: %w", err)
	}
	return nil
}

// whole returns where to append. Normally that is the end of the file; behind
// a last line that a power cut left without its end, it is the beginning of
// that line, which nobody was told of and which is cut off.
func whole(f *os.File) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	size, last := end, [1]byte{}
	for ; end > 0; end-- {
		if _, err := f.ReadAt(last[:], end-1); err != nil {
			return 0, err
		}
		if last[0] == '\n' {
			break
		}
	}
	if end < size {
		return end, f.Truncate(end)
	}
	return end, nil
}
