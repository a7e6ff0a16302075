package daemon

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crierd/crier/channels"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// served is a daemon on loopback.
type served struct {
	t     *testing.T
	base  string
	token string
	stop  func()
}

// accepting is a sink that takes everything.
var accepting = channels.SinkFunc(func(_ context.Context, b *channels.Batch) ([]channels.Answer, error) {
	answers := make([]channels.Answer, len(b.Recipients))
	for i := range answers {
		answers[i].Verdict = channels.Accepted
	}
	return answers, nil
})

// serve starts a daemon on a fresh directory and stops it at the end.
func start(t *testing.T, config Config) *served {
	t.Helper()
	if config.Data == "" {
		config.Data = t.TempDir() + "/data"
	}
	config.Out = t.TempDir()
	if config.Sinks == nil {
		config.Sinks = map[string]Sink{channels.SMS: {Custom: accepting}, channels.Email: {Custom: accepting}}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	config.Ready = func(token string) { ready <- token }
	go func() { ended <- Serve(ctx, config, listener) }()
	s := &served{t: t, base: "http://" + listener.Addr().String()}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		http.DefaultClient.CloseIdleConnections()
		cancel()
		require.NoError(t, <-ended)
	}
	t.Cleanup(s.stop)
	select {
	case s.token = <-ready:
	case err := <-ended:
		require.NoError(t, err)
	}
	return s
}

// answered is what came back.
type answered struct {
	status int
	header http.Header
	body   []byte
}

// do makes a call; headers are pairs.
func (s *served) do(method, path, body string, headers ...string) answered {
	s.t.Helper()
	r, err := http.NewRequest(method, s.base+path, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Authorization", "Bearer "+s.token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	require.NoError(s.t, err)
	return answered{a.StatusCode, a.Header, text}
}

// into decodes an answer that must have a status.
func into[T any](t *testing.T, status int, a answered) T {
	t.Helper()
	require.Equal(t, status, a.status, "%s", a.body)
	var v T
	require.NoError(t, json.Unmarshal(a.body, &v))
	return v
}

const (
	person = `{"id":"p1","contacts":{"sms":"+31612345678","email":"a@example.nl"},"language":"nl","timezone":"Europe/Amsterdam",
		"places":[{"id":"home","point":[4.9041,52.3676],"postcode":"1012AB","channels":["sms"],"schedule":"always"}]}`
	child = `{"kind":"missing","area":{"circle":{"center":[4.9041,52.3676],"radius_m":2500}},"text":"Uitkijken naar jongen van 9"}`
)

type problem struct {
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
	} `json:"errors"`
}

func TestStory(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	require.Equal(t, 201, s.do("PUT", "/v1/participants/p1", person).status)
	require.Equal(t, 200, s.do("PUT", "/v1/participants/p1", person).status)
	require.JSONEq(t, person, string(s.do("GET", "/v1/participants/p1", "").body))

	preview := into[previewAnswer](t, 200, s.do("POST", "/v1/preview", child))
	require.Equal(t, 1, preview.Recipients)
	require.Equal(t, previewChannel{Recipients: 1, Waves: []int{1}, Units: 1}, preview.Channels["sms"])
	require.Positive(t, preview.Took)

	a := s.do("POST", "/v1/actions", child, "Idempotency-Key", "k1")
	first := into[actionAnswer](t, 201, a)
	require.Len(t, first.ID, 28)
	again := into[actionAnswer](t, 201, s.do("POST", "/v1/actions", child, "Idempotency-Key", "k1"))
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, 422, s.do("POST", "/v1/actions", strings.Replace(child, "jongen", "meisje", 1), "Idempotency-Key", "k1").status)

	s.until(first.ID, func(a actionAnswer) bool { return a.Messages[0].Channels["sms"].Accepted == 1 })
	path := "/v1/actions/" + first.ID
	require.Equal(t, "paused", string(into[actionAnswer](t, 200, s.do("POST", path+"/pause", "")).Status))
	require.Equal(t, 409, s.do("POST", path+"/pause", "").status)
	require.Equal(t, "running", string(into[actionAnswer](t, 200, s.do("POST", path+"/resume", "")).Status))
	require.Equal(t, 422, s.do("POST", path+"/cancel", `{"reason":"x"}`, "Idempotency-Key", "k2").status)
	require.Equal(t, 422, s.do("POST", path+"/close", `{"result":"found"}`, "Idempotency-Key", "k3").status)
	into[actionAnswer](t, 200, s.do("POST", path+"/close", `{"result":"found","text":"Gevonden, dank u."}`, "Idempotency-Key", "k3"))
	closed := s.until(first.ID, func(a actionAnswer) bool { return a.Status == "closed" })
	require.Equal(t, 1, closed.Messages[1].Channels["sms"].Accepted)

	rows := strings.Split(strings.TrimSpace(string(s.do("GET", path+"/ledger?outcome=accepted", "").body)), "\n")
	require.Len(t, rows, 2)
	require.Contains(t, rows[0], `"participant":"p1"`)
	require.Empty(t, s.do("GET", path+"/ledger?outcome=missed", "").body)
	require.Equal(t, 204, s.do("DELETE", "/v1/participants/p1", "").status)
	require.Equal(t, 204, s.do("DELETE", "/v1/participants/p1", "").status)
	require.Contains(t, string(s.do("GET", path+"/ledger", "").body), `"participant":null,"erased":true`)
}

// until reads an action until it is as it should be.
func (s *served) until(id string, ok func(actionAnswer) bool) actionAnswer {
	s.t.Helper()
	for range 1000 {
		a := into[actionAnswer](s.t, 200, s.do("GET", "/v1/actions/"+id, ""))
		if ok(a) {
			return a
		}
		<-time.After(5 * time.Millisecond)
	}
	require.Fail(s.t, "the action did not get there")
	return actionAnswer{}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	token := s.token
	for _, call := range []string{"GET /v1/stats", "POST /v1/preview", "POST /v1/actions", "GET /v1/participants/export", "PUT /v1/participants/x", "GET /v1/actions/a-1/ledger"} {
		method, path, _ := strings.Cut(call, " ")
		s.token = "wrong"
		a := s.do(method, path, "{}")
		require.Equal(t, 401, a.status, call)
		require.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
		require.Contains(t, a.header.Get("Content-Type"), "application/problem+json")
	}
	s.token = token
	require.Equal(t, 400, s.do("POST", "/v1/actions", child).status, "without a key")
}

// TestBadInput gives each wrong request, the status and where it is wrong.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	in := func(old, replacement string) string { return strings.Replace(child, old, replacement, 1) }
	for _, c := range []struct {
		call, body string
		status     int
		location   string
	}{
		{"POST /v1/preview", ``, 400, ""},
		{"POST /v1/preview", `{`, 400, "body"},
		{"POST /v1/preview", `{"kind":"missing","kind":"wanted"}`, 400, "body.kind"},
		{"POST /v1/preview", child + `x`, 400, "body"},
		{"POST /v1/preview", in("Uitkijken", "\xff"), 400, "body.text"},
		{"POST /v1/preview", in(`"kind"`, `"sort"`), 422, "body.sort"},
		{"POST /v1/preview", in(`"missing"`, `"party"`), 422, "body.kind"},
		{"POST /v1/preview", in(`"missing"`, `"crisis"`), 501, "body.kind"},
		{"POST /v1/preview", in(`2500`, `-1`), 422, "body.area.circle.radius_m"},
		{"POST /v1/preview", in(`2500`, `1e9`), 422, "body.area.circle.radius_m"},
		{"POST /v1/preview", in(`52.3676`, `95`), 422, "body.area.circle.center"},
		{"POST /v1/preview", in(`{"circle":{"center":[4.9041,52.3676],"radius_m":2500}}`, `{"regions":["GM0363"]}`), 501, "body.area.regions"},
		{"POST /v1/preview", in(`"circle"`, `"round"`), 422, "body.area.round"},
		{"POST /v1/preview", in(`"text"`, `"deadline":"soon","text"`), 422, "body.deadline"},
		{"POST /v1/preview", in(`"text"`, `"limit":0,"text"`), 422, "body.limit"},
		{"POST /v1/preview", in(`"text"`, `"limit":"many","text"`), 422, "body.limit"},
		{"POST /v1/preview", in(`"text"`, `"waves":{"rings_m":[5,4]},"text"`), 422, "body.waves.rings_m[1]"},
		{"POST /v1/preview", in(`"text"`, `"channels":["pigeon"],"text"`), 422, "body.channels[0]"},
		{"POST /v1/preview", in(`"text"`, `"media":["m-1"],"text"`), 501, "body.media"},
		{"POST /v1/preview", in(`"text"`, `"pace":{"agents":3},"text"`), 501, "body.pace"},
		{"POST /v1/preview", in(`"text"`, `"nl_alert":true,"text"`), 501, "body.nl_alert"},
		{"POST /v1/preview", in(`"text"`, `"translations":{"en":{"title":"x","text":""}},"text"`), 422, "body.translations.en.text"},
		{"POST /v1/preview", in(`"Uitkijken naar jongen van 9"`, `""`), 422, "body.text"},
		{"PUT /v1/participants/p1", strings.Replace(person, `"p1"`, `"p2"`, 1), 422, "body.id"},
		{"PUT /v1/participants/p1", strings.Replace(person, "+31612345678", "0612345678", 1), 422, "body.contacts.sms"},
		{"PUT /v1/participants/p1", strings.Replace(person, "a@example.nl", "nobody", 1), 422, "body.contacts.email"},
		{"PUT /v1/participants/p1", strings.Replace(person, "always", "sometimes", 1), 422, "body.places[0].schedule"},
		{"PUT /v1/participants/p1", strings.Replace(person, `,"schedule":"always"`, "", 1), 422, "body.places[0].schedule"},
		{"PUT /v1/participants/p1", strings.Replace(person, "4.9041", "494.1", 1), 422, "body.places[0].point"},
		{"PUT /v1/participants/p1", strings.Replace(person, "Europe/Amsterdam", "Atlantis", 1), 422, "body.timezone"},
		{"PUT /v1/participants/p1", strings.Replace(person, "1012AB", "zip", 1), 422, "body.places[0].postcode"},
		{"GET /v1/actions?status=odd", "", 422, ""},
		{"GET /v1/actions?colour=red", "", 422, ""},
		{"GET /v1/actions?limit=0", "", 422, ""},
		{"GET /v1/actions?cursor=!", "", 422, "query.cursor"},
		{"GET /v1/actions/a-none", "", 404, ""},
		{"GET /v1/actions/a-none/ledger", "", 404, ""},
		{"GET /v1/actions/a-none/events", "", 404, ""},
		{"GET /v1/participants/nobody", "", 404, ""},
		{"POST /v1/actions/a-none/pause", "", 404, ""},
		{"GET /nowhere", "", 404, ""},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		a := s.do(method, path, c.body)
		require.Equal(t, c.status, a.status, "%s %s: %s", c.call, c.body, a.body)
		require.NotContains(t, string(a.body), "+316", "contacts do not come back in errors")
		if c.location != "" {
			p := into[problem](t, c.status, a)
			require.Len(t, p.Errors, 1, "%s", a.body)
			require.Equal(t, c.location, p.Errors[0].Location, "%s %s", c.call, c.body)
		}
	}
	require.Equal(t, 413, s.do("POST", "/v1/preview", in("Uitkijken", strings.Repeat("x", 2<<20))).status)
}

func TestContactOfAnotherIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	require.Equal(t, 201, s.do("PUT", "/v1/participants/p1", person).status)
	second := strings.Replace(person, `"p1"`, `"p2"`, 1)
	p := into[problem](t, 409, s.do("PUT", "/v1/participants/p2", second))
	require.Equal(t, "body.contacts.sms", p.Errors[0].Location)
	require.Contains(t, p.Detail, `"p1"`, "an administrator is told whose it is")
	require.Equal(t, 201, s.do("PUT", "/v1/participants/p2?takeover=true", second).status)
	require.NotContains(t, string(s.do("GET", "/v1/participants/p1", "").body), "+31612345678")
}

func TestImportAndExport(t *testing.T) {
	t.Parallel()
	flat := strings.ReplaceAll(strings.ReplaceAll(person, "\n", ""), "\t", "")
	file := flat + "\n" + strings.ReplaceAll(strings.ReplaceAll(flat, "p1", "p2"), "+31612345678", "+31687654321") + "\n{\"id\":\"bad\"}\n"
	var packed, squeezed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(file))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	w, err := zstd.NewWriter(&squeezed)
	require.NoError(t, err)
	_, err = w.Write([]byte(file))
	require.NoError(t, err)
	require.NoError(t, w.Close())

	type report struct {
		Created   int `json:"created"`
		Unchanged int `json:"unchanged"`
		Rejects   []struct {
			Line int    `json:"line"`
			ID   string `json:"id"`
		} `json:"rejects"`
	}
	s := start(t, Config{})
	first := into[report](t, 200, s.do("POST", "/v1/participants/import", packed.String(), "Content-Encoding", "gzip"))
	require.Equal(t, 2, first.Created, "into an empty store")
	require.Equal(t, 3, first.Rejects[0].Line)
	require.Equal(t, "bad", first.Rejects[0].ID)
	second := into[report](t, 200, s.do("POST", "/v1/participants/import", squeezed.String(), "Content-Encoding", "zstd"))
	require.Equal(t, 2, second.Unchanged, "into one that has people")
	require.Equal(t, 415, s.do("POST", "/v1/participants/import", file, "Content-Encoding", "br").status)
	require.Equal(t, 400, s.do("POST", "/v1/participants/import", "not gzip", "Content-Encoding", "gzip").status)

	lines := strings.Split(strings.TrimSpace(string(s.do("GET", "/v1/participants/export", "").body)), "\n")
	require.Len(t, lines, 2)
	require.JSONEq(t, flat, lines[0])
	stats := into[statsAnswer](t, 200, s.do("GET", "/v1/stats", ""))
	require.Equal(t, 2, stats.Participants)
	require.Equal(t, map[string]int{"sms": 2, "email": 2}, stats.Contacts)
	require.Equal(t, 2, stats.Index.Points)
}

func TestListIsPaged(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	var made []string
	for i := range 5 {
		made = append(made, into[actionAnswer](t, 201, s.do("POST", "/v1/actions", child, "Idempotency-Key", strings.Repeat("k", i+1))).ID)
	}
	var seen []string
	for path := "/v1/actions?limit=2"; path != ""; {
		page := into[actionsAnswer](t, 200, s.do("GET", path, ""))
		for _, a := range page.Actions {
			seen = append(seen, a.ID)
		}
		if path = ""; page.Next != "" {
			path = "/v1/actions?limit=2&cursor=" + page.Next
		}
	}
	require.ElementsMatch(t, made, seen)
	require.Empty(t, into[actionsAnswer](t, 200, s.do("GET", "/v1/actions?status=closed", "")).Actions)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	r, err := http.NewRequest(http.MethodGet, s.base+"/v1/events", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.token)
	stream, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = stream.Body.Close() }()
	require.Equal(t, "text/event-stream", stream.Header.Get("Content-Type"))
	id := into[actionAnswer](t, 201, s.do("POST", "/v1/actions", child, "Idempotency-Key", "k")).ID
	var text []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(text, []byte(id)) {
		n, err := stream.Body.Read(buf)
		require.NoError(t, err)
		text = append(text, buf[:n]...)
	}
	require.Contains(t, string(text), "event: status\n")
	s.stop() // ends the stream, and does not wait for it
	_, err = io.ReadAll(stream.Body)
	require.NoError(t, err)
}

func TestHealthMetricsAndDescription(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	require.Equal(t, 200, s.do("GET", "/healthz", "").status)
	require.Equal(t, 200, s.do("GET", "/readyz", "").status)
	require.Equal(t, 201, s.do("PUT", "/v1/participants/p1", person).status)
	into[previewAnswer](t, 200, s.do("POST", "/v1/preview", child))
	require.Equal(t, 404, s.do("GET", "/v1/actions/a-none", "").status)
	text := string(s.do("GET", "/metrics", "").body)
	for _, want := range []string{
		"crier_plan_seconds_count 1", `crier_refused_total{status="Not Found"} 1`, "crier_participants 1", "crier_lanes_failed 0",
		`crier_oldest_waiting_seconds{channel="sms"} 0`, `crier_waiting{channel="sms"} 0`,
	} {
		require.Contains(t, text, want)
	}
	type document struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	var doc document
	require.NoError(t, json.Unmarshal(s.do("GET", "/openapi.json", "").body, &doc))
	require.Equal(t, "3.1.0", doc.OpenAPI)
	require.Equal(t, 14, len(doc.Paths))
}

func TestNotReadyWhileLoading(t *testing.T) {
	t.Parallel()
	f := &front{}
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 503, "/v1/stats": 503} {
		w := &recorder{header: http.Header{}}
		r, err := http.NewRequest(http.MethodGet, path, nil)
		require.NoError(t, err)
		f.ServeHTTP(w, r)
		require.Equal(t, status, max(w.status, 200), path)
	}
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }

func TestTokenLastsAndIsShownOnce(t *testing.T) {
	t.Parallel()
	config := Config{Data: t.TempDir() + "/data"}
	first := start(t, config)
	token := first.token
	require.NotEmpty(t, token)
	first.stop()
	second := start(t, config)
	require.Empty(t, second.token)
	second.token = token
	require.Equal(t, 200, second.do("GET", "/v1/stats", "").status)
}
