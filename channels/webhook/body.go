package webhook

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/crierd/crier/channels"
)

// The body of a request, as the contract has it.
type (
	envelope struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      data      `json:"data"`
	}
	data struct {
		Batch      string          `json:"batch"`
		Action     string          `json:"action"`
		Message    int             `json:"message"`
		Attempt    int             `json:"attempt"`
		Phase      string          `json:"phase"`
		Channel    string          `json:"channel"`
		Kind       string          `json:"kind"`
		Drill      bool            `json:"drill"`
		Texts      map[string]text `json:"texts"`
		Media      []string        `json:"media"`
		Expires    time.Time       `json:"expires,omitzero"`
		Recipients []recipient     `json:"recipients"`
	}
	text struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	}
	recipient struct {
		Key  string            `json:"key"`
		To   string            `json:"to"`
		Lang string            `json:"lang"`
		Vars map[string]string `json:"vars"`
	}
)

// encode writes a batch, contacts revealed. Its error names no value: what the
// encoder says of invalid UTF-8 could quote it.
func encode(b *channels.Batch, now time.Time) ([]byte, error) {
	e := envelope{Type: "crier.batch", Timestamp: now.UTC(), Data: data{
		Batch: b.ID, Action: b.Action, Message: b.Message, Attempt: b.Attempt,
		Phase: b.Phase, Channel: b.Channel, Kind: b.Kind, Drill: b.Drill,
		Texts:      make(map[string]text, len(b.Texts)),
		Expires:    b.Expires,
		Recipients: make([]recipient, len(b.Recipients)),
	}}
	for lang, t := range b.Texts {
		e.Data.Texts[lang] = text(t)
	}
	for i := range b.Recipients {
		r := &b.Recipients[i]
		e.Data.Recipients[i] = recipient{Key: r.Key, To: r.To.Reveal(), Lang: r.Lang, Vars: r.Vars}
	}
	body, err := json.Marshal(&e, json.Deterministic(true), jsontext.AllowInvalidUTF8(false))
	if err != nil {
		return nil, errors.New("webhook: batch is not valid UTF-8")
	}
	return body, nil
}
