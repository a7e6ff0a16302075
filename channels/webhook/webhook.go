// Package webhook is the sink that posts batches to an operator's own service
// as signed JSON, by the Standard Webhooks rules.
//
// A batch is one POST of {"type":"crier.batch","timestamp":…,"data":{…}}, with
// the headers webhook-id (the batch's ID, a slash and the attempt),
// webhook-timestamp and webhook-signature. The service checks the signature,
// recognises the recipients' keys that it has seen before, and answers:
//
//	200 {"results":[{"key":"…","outcome":"accepted","ref":"…"},…]}
//	                 outcome: accepted, rejected (never try again) or retry
//	2xx without body every recipient is accepted
//	429, 503         pause; Retry-After in seconds or as an HTTP date
//	anything else    nothing is known of the batch; it comes again later. That
//	                 includes 3xx (redirects are never followed), 4xx, and 410:
//	                 an operator has to take a sink away, a receiver cannot
//
// Results are matched by key, in any order. A recipient without a result, or
// with results that contradict each other, is tried again; a result for a key
// that was not asked about is dropped.
//
// The address is the operator's own and may be loopback or private. The
// environment's proxy settings are not used: contacts go to that address and
// nowhere else.
package webhook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/crierd/crier/channels"
)

// minSecret is what Standard Webhooks asks of a symmetric secret, in bytes.
const minSecret = 24

// Config says where to post. URL and Secret are required.
type Config struct {
	// URL is an http or https address without user information. It never
	// appears in an error or log: operators put tokens in the query.
	URL string
	// Secret signs every request: "whsec_" and base64 of at least 24 bytes.
	Secret string
	// Timeout bounds one request, from dialling to the last byte of the
	// answer. default: 15 s
	Timeout time.Duration
	// MaxBatch is how many recipients the service takes at once. default: 500
	MaxBatch int
	// MaxAnswer is how many bytes of an answer are read; a longer one is an
	// error. default: 1 MiB
	MaxAnswer int64
	// Logger is told of answers that contradict the contract; never of
	// contacts. default: nothing is logged
	Logger *slog.Logger
	// Now is the clock of time stamps and of dates in Retry-After.
	// default: time.Now
	Now func() time.Time
}

func (c *Config) withDefaults() Config {
	out := *c
	out.Timeout = cmp.Or(c.Timeout, 15*time.Second)
	out.MaxBatch = cmp.Or(c.MaxBatch, 500)
	out.MaxAnswer = cmp.Or(c.MaxAnswer, 1<<20)
	out.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	if c.Now == nil {
		out.Now = time.Now
	}
	return out
}

func (c *Config) validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("webhook: url must be an http or https address")
	case u.User != nil:
		return errors.New("webhook: url must not hold a user name or password")
	case c.Timeout < 0 || c.MaxBatch < 0 || c.MaxAnswer < 0:
		return errors.New("webhook: timeout, max batch and max answer must not be negative")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.Secret, "whsec_"))
	if err != nil || len(key) < minSecret {
		return fmt.Errorf("webhook: secret must be whsec_ and base64 of at least %d bytes", minSecret)
	}
	return nil
}

// Sink posts batches. [New] is the only way to one. It is safe for concurrent
// use.
type Sink struct {
	config Config
	signer *standardwebhooks.Webhook
	client *http.Client
}

var (
	_ channels.Sink    = (*Sink)(nil)
	_ channels.Bounded = (*Sink)(nil)
)

// New returns a sink, or a sentence that names the field that is wrong. It does
// not connect.
func New(c Config) (*Sink, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	signer, err := standardwebhooks.NewWebhook(c.Secret)
	if err != nil {
		return nil, errors.New("webhook: secret cannot be read")
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return &Sink{
		config: c.withDefaults(),
		signer: signer,
		client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext:            dialer.DialContext,
				TLSHandshakeTimeout:    5 * time.Second,
				MaxIdleConnsPerHost:    16,
				IdleConnTimeout:        90 * time.Second,
				MaxResponseHeaderBytes: 16 << 10,
				DisableCompression:     true, // MaxAnswer then bounds what is unpacked, too
				ForceAttemptHTTP2:      true,
			},
		},
	}, nil
}

// MaxBatch is the configured number of recipients.
func (s *Sink) MaxBatch() int { return s.config.MaxBatch }

// Close lets go of idle connections; a Send under way is not disturbed, and a
// later one dials anew. It never fails.
func (s *Sink) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Send posts the batch once and reads the answer. Errors are a
// [*channels.ThrottledError], a [*StatusError], one that wraps [ErrAnswer], or
// what the network or ctx had to say.
func (s *Sink) Send(ctx context.Context, b *channels.Batch) ([]channels.Answer, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	if len(b.Recipients) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	request, err := s.request(ctx, b)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("post batch: %w", unaddressed(err))
	}
	defer func() { _ = response.Body.Close() }()
	if err := s.refusal(response); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, s.config.MaxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", unaddressed(err))
	}
	if int64(len(body)) > s.config.MaxAnswer {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrAnswer, s.config.MaxAnswer)
	}
	return s.match(b, body)
}

func (s *Sink) request(ctx context.Context, b *channels.Batch) (*http.Request, error) {
	now := s.config.Now()
	body, err := encode(b, now)
	if err != nil {
		return nil, err
	}
	id := b.ID + "/" + strconv.Itoa(b.Attempt)
	signature, err := s.signer.Sign(id, now, body)
	if err != nil {
		return nil, errors.New("webhook: batch cannot be signed")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("webhook: request cannot be made")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "crier")
	request.Header.Set(standardwebhooks.HeaderWebhookID, id)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return request, nil
}

// unaddressed takes the URL out of an error of net/http.
func unaddressed(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
