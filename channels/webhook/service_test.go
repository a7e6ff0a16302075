package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/channels/sinktest"
	"github.com/crierd/crier/channels/webhook"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZXJ1bm8="

// body is the part of a request that the service reads.
type body struct {
	Type      string
	Timestamp time.Time
	Data      struct {
		Batch, Action, Phase, Channel, Kind string
		Message, Attempt                    int
		Drill                               bool
		Texts                               map[string]struct{ Title, Text string }
		Expires                             time.Time
		Recipients                          []struct {
			Key, To, Lang string
			Vars          map[string]string
		}
	}
}

// service is the receiver: it checks signatures and does as its fields say.
type service struct {
	*httptest.Server
	t      *testing.T
	output lockedBuffer

	mu       sync.Mutex
	keys     []string
	verdicts map[string]channels.Verdict
	fault    http.HandlerFunc
	last     *http.Request
	body     []byte
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T) *service {
	t.Helper()
	s := &service{t: t}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	fault := s.fault
	s.last, s.body = r, raw
	s.mu.Unlock()
	if fault != nil {
		r.Body = io.NopCloser(bytes.NewReader(raw))
		fault(w, r)
		return
	}
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil || signer.Verify(raw, r.Header) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var b body
	if json.Unmarshal(raw, &b) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	results := []map[string]string{}
	for _, to := range b.Data.Recipients {
		s.keys = append(s.keys, to.Key)
		verdict := max(s.verdicts[to.Key], channels.Accepted)
		// Newest first: order is not what results are matched by.
		results = append([]map[string]string{{"key": to.Key, "outcome": verdict.String(), "ref": "r-" + to.Key, "reason": "no " + to.To}}, results...)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"results": results, "more": true})
}

// does has the service answer everything with f; nil heals it.
func (s *service) does(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// answers has the service answer everything so.
func (s *service) answers(code int, header, text string) {
	s.does(func(w http.ResponseWriter, _ *http.Request) {
		if header != "" {
			w.Header().Set("Retry-After", header)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	})
}

// sink opens a sink in front of the service.
func (s *service) sink(c webhook.Config) *webhook.Sink {
	s.t.Helper()
	c.URL, c.Secret = s.URL+"/hook?token=hidden", secret
	c.Logger = slog.New(slog.NewJSONHandler(&s.output, nil))
	sink, err := webhook.New(c)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, sink.Close()) })
	return sink
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t *testing.T) *sinktest.Rig {
		s := start(t)
		released := make(chan struct{})
		var once sync.Once
		return &sinktest.Rig{
			Sink:     s.sink(webhook.Config{}),
			Received: func() []string { return s.keys },
			Judge:    func(v map[string]channels.Verdict) { s.verdicts = v },
			Throttle: func(after time.Duration) {
				s.answers(http.StatusTooManyRequests, fmt.Sprint(int(after.Seconds())), "")
			},
			Fail: func() {
				s.does(func(w http.ResponseWriter, r *http.Request) {
					w.WriteHeader(http.StatusInternalServerError)
					_, _ = io.Copy(w, r.Body)
				})
			},
			Stall:  func() { s.does(func(http.ResponseWriter, *http.Request) { <-released }) },
			Heal:   func() { once.Do(func() { close(released) }); s.does(nil) },
			Output: s.output.String,
		}
	})
}
