package webhook

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/crierd/crier/channels"
)

// How long a throttled sink waits: what the service asks for within these, and
// the first when it does not say.
const (
	minPause = time.Second
	maxPause = time.Hour
)

// StatusError is an answer that takes nothing of the batch and asks for no
// pause: a redirect, or an error of the service. What its body said is not
// kept, since it may repeat what was sent. The zero value is no answer.
type StatusError struct {
	Code int // of HTTP: 3xx, 4xx or 5xx, but neither 429 nor 503
}

// Error tells the code and its meaning.
func (e *StatusError) Error() string {
	return fmt.Sprintf("webhook: answered %d %s", e.Code, http.StatusText(e.Code))
}

// refusal is nil when the service took the batch.
func (s *Sink) refusal(r *http.Response) error {
	switch {
	case r.StatusCode >= 200 && r.StatusCode < 300:
		return nil
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusServiceUnavailable:
		return &channels.ThrottledError{
			After: pause(r.Header.Get("Retry-After"), s.config.Now()),
			Err:   &StatusError{r.StatusCode},
		}
	}
	return &StatusError{r.StatusCode}
}

// pause reads a Retry-After header (RFC 9110, 10.2.3): seconds or a date. What
// is absent, past or unreadable is the shortest pause, so that a service that
// is overrun is not asked again at once.
func pause(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 64); err == nil {
		return time.Duration(min(max(seconds, uint64(minPause/time.Second)), uint64(maxPause/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(date.Sub(now), minPause), maxPause)
	}
	return minPause
}
