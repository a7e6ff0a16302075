package webhook_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/channels/sinktest"
	"github.com/crierd/crier/channels/webhook"
)

func TestBody(t *testing.T) {
	t.Parallel()
	s := start(t)
	now := time.Date(2026, 11, 23, 16, 30, 0, 0, time.FixedZone("CET", 3600))
	sink := s.sink(webhook.Config{Now: func() time.Time { return now }})
	s.answers(http.StatusNoContent, "", "")
	b := sinktest.Batch(17, 1)
	b.Attempt, b.Texts = 2, map[string]channels.Text{"nl": {Title: "Vermist", Text: "jongen <9>"}}
	_, err := sink.Send(t.Context(), b)
	require.NoError(t, err)

	id := b.ID + "/2"
	require.Equal(t, http.MethodPost, s.last.Method)
	require.Equal(t, "/hook?token=hidden", s.last.URL.RequestURI())
	require.Equal(t, "application/json", s.last.Header.Get("Content-Type"))
	require.Equal(t, id, s.last.Header.Get("Webhook-Id"))
	require.Equal(t, fmt.Sprint(now.Unix()), s.last.Header.Get("Webhook-Timestamp"))
	signer, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, signer.VerifyIgnoringTimestamp(s.body, s.last.Header))
	require.Equal(t, `{"type":"crier.batch","timestamp":"2026-11-23T15:30:00Z","data":{`+
		`"batch":"a-01jd0000000000000000000000/1/sms/0/17","action":"a-01jd0000000000000000000000","message":1,"attempt":2,`+
		`"phase":"alert","channel":"sms","kind":"missing","drill":false,"texts":{"nl":{"title":"Vermist","text":"jongen <9>"}},`+
		`"media":[],"expires":"2126-11-23T16:30:00Z","recipients":[{"key":"key-17-0","to":"+3161234170000","lang":"nl","vars":{}}]}}`,
		string(s.body))
}

func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := sinktest.Batch(1, 1)
	b.Recipients[0].To += "\xff"
	_, err := s.sink(webhook.Config{}).Send(t.Context(), b)
	require.EqualError(t, err, "webhook: batch is not valid UTF-8")
}

func TestConfig(t *testing.T) {
	t.Parallel()
	const where = "http://127.0.0.1:9000/sms"
	short := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23))
	for name, c := range map[string]struct {
		config webhook.Config
		want   string
	}{
		"zero":          {webhook.Config{}, "url"},
		"no secret":     {webhook.Config{URL: where}, "secret"},
		"short secret":  {webhook.Config{URL: where, Secret: short}, "24 bytes"},
		"odd secret":    {webhook.Config{URL: where, Secret: "whsec_%"}, "secret"},
		"scheme":        {webhook.Config{URL: "ftp://example.nl", Secret: secret}, "http or https"},
		"relative":      {webhook.Config{URL: "/sms", Secret: secret}, "http or https"},
		"not a url":     {webhook.Config{URL: "http://a b", Secret: secret}, "http or https"},
		"password":      {webhook.Config{URL: "http://u:hidden@example.nl", Secret: secret}, "password"},
		"negative size": {webhook.Config{URL: where, Secret: secret, MaxBatch: -1}, "negative"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := webhook.New(c.config)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "hidden")
		})
	}
	sink, err := webhook.New(webhook.Config{URL: where, Secret: secret})
	require.NoError(t, err)
	require.Equal(t, 500, sink.MaxBatch())
}

func TestNoRedirect(t *testing.T) {
	t.Parallel()
	s := start(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed")
	}))
	t.Cleanup(elsewhere.Close)
	s.does(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	_, err := s.sink(webhook.Config{}).Send(t.Context(), sinktest.Batch(1, 1))
	var status *webhook.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, http.StatusTemporaryRedirect, status.Code)
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	s := start(t)
	sink := s.sink(webhook.Config{})
	s.Close()
	_, err := sink.Send(t.Context(), sinktest.Batch(1, 1))
	require.ErrorContains(t, err, "post batch")
	require.NotContains(t, err.Error(), "hidden")
	require.NotContains(t, err.Error(), "http://")
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	s := start(t)
	released := make(chan struct{})
	t.Cleanup(func() { close(released) })
	s.does(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"results":[`) // the head is there, the end never comes
		_ = http.NewResponseController(w).Flush()
		<-released
	})
	_, err := s.sink(webhook.Config{Timeout: 50 * time.Millisecond}).Send(t.Context(), sinktest.Batch(1, 1))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestLongAnswer(t *testing.T) {
	t.Parallel()
	s := start(t)
	sink := s.sink(webhook.Config{MaxAnswer: 100})
	s.answers(http.StatusOK, "", `{"results":[]}`+strings.Repeat(" ", 86))
	_, err := sink.Send(t.Context(), sinktest.Batch(1, 1))
	require.NoError(t, err)
	s.answers(http.StatusOK, "", `{"results":[]}`+strings.Repeat(" ", 87))
	_, err = sink.Send(t.Context(), sinktest.Batch(1, 1))
	require.ErrorIs(t, err, webhook.ErrAnswer)
}

func ExampleSink() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("webhook-id", r.Header.Get("webhook-id"))
		_, _ = io.WriteString(w, `{"results":[{"key":"k2","outcome":"rejected","reason":"blocked"},{"key":"k1","outcome":"accepted","ref":"77"}]}`)
	}))
	defer service.Close()
	sink, err := webhook.New(webhook.Config{URL: service.URL, Secret: secret})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = sink.Close() }()
	answers, err := sink.Send(context.Background(), &channels.Batch{
		ID: "a-1/1/sms/0/17", Action: "a-1", Message: 1, Attempt: 1, Phase: "alert", Channel: channels.SMS, Kind: "missing",
		Texts:      map[string]channels.Text{"nl": {Text: "Let op"}},
		Recipients: []channels.Recipient{{Key: "k1", To: "+31600000001", Lang: "nl"}, {Key: "k2", To: "+31600000002", Lang: "nl"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range answers {
		fmt.Printf("%v %q %q\n", a.Verdict, a.Ref, a.Reason)
	}
	// Output:
	// webhook-id a-1/1/sms/0/17/1
	// accepted "77" ""
	// rejected "" "blocked"
}

func BenchmarkSend(b *testing.B) {
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer service.Close()
	sink, err := webhook.New(webhook.Config{URL: service.URL, Secret: secret})
	require.NoError(b, err)
	batch := sinktest.Batch(1, 500)
	for b.Loop() {
		_, err := sink.Send(b.Context(), batch)
		require.NoError(b, err)
	}
}
