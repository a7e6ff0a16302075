package channels

import (
	"errors"
	"fmt"
)

// What a batch can have wrong; a sink refuses it before anything leaves.
var (
	ErrKey      = errors.New("channels: key missing or used twice in one batch")
	ErrLanguage = errors.New("channels: no text in the recipient's language")
)

// Validate says whether every recipient has a key of its own and a text in its
// language, and which does not, by its place in the batch. A batch without
// recipients is valid. Every sink calls it first: answers are matched by key,
// so a key used twice could give one recipient the other's answer.
func (b *Batch) Validate() error {
	seen := make(map[string]struct{}, len(b.Recipients))
	for i := range b.Recipients {
		r := &b.Recipients[i]
		if _, twice := seen[r.Key]; twice || r.Key == "" {
			return fmt.Errorf("recipient %d: %w", i, ErrKey)
		}
		seen[r.Key] = struct{}{}
		if _, ok := b.Texts[r.Lang]; !ok {
			return fmt.Errorf("recipient %d: %w", i, ErrLanguage)
		}
	}
	return nil
}
