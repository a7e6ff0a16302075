package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain runs the daemon itself when a test of this file starts it as a process.
func TestMain(m *testing.M) {
	if config := os.Getenv("CRIERD_TEST_CONFIG"); config != "" {
		if err := run(options{Config: config}, os.Stdout, os.Stderr); err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	killPeople  = 600
	killBatch   = 20
	killWorkers = 3
	token       = "test-token"
)

// receiver is the operator's service behind the webhook: it outlives the daemon,
// and remembers every key that it got.
type receiver struct {
	mu    sync.Mutex
	keys  map[string]map[string]int // by action and phase: how often each key came
	to    map[string]map[string]string
	count int
	at    int // kill when so many batches have come
	kill  func()
}

type hook struct {
	Data struct {
		Action     string `json:"action"`
		Phase      string `json:"phase"`
		Recipients []struct {
			Key string `json:"key"`
			To  string `json:"to"`
		} `json:"recipients"`
	} `json:"data"`
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var h hook
	if err := json.UnmarshalRead(request.Body, &h); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	name := h.Data.Action + h.Data.Phase
	if r.keys[name] == nil {
		r.keys[name], r.to[name] = map[string]int{}, map[string]string{}
	}
	for _, who := range h.Data.Recipients {
		r.keys[name][who.Key]++
		r.to[name][who.To] = who.Key
	}
	if r.count++; r.count == r.at && r.kill != nil {
		r.kill() // between taking the batch and answering it
		r.kill = nil
	}
	w.WriteHeader(http.StatusNoContent)
}

// process is a daemon as a process of its own.
type process struct {
	t    *testing.T
	dir  string
	base string
	cmd  *exec.Cmd
}

func newProcess(t *testing.T, hooks string) *process {
	dir := t.TempDir()
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(secret), 0o600))
	address := freeAddress(t)
	config := fmt.Sprintf(`
listen: %s
data: %s
out: %s
batch: %d
sinks:
  sms: {type: webhook, url: %q, secret_file: %s, workers: %d}
`, address, filepath.Join(dir, "data"), filepath.Join(dir, "out"), killBatch, hooks, filepath.Join(dir, "secret"), killWorkers)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "crier.yaml"), []byte(config), 0o600))
	return &process{t: t, dir: dir, base: "http://" + address}
}

// freeAddress is one that was free a moment ago, and that no connection is given
// by itself: the daemon must come back to the same one again and again.
func freeAddress(t *testing.T) string {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err == nil {
			require.NoError(t, l.Close())
			return l.Addr().String()
		}
	}
	require.Fail(t, "no port is free")
	return ""
}

// start runs the daemon, with more in its environment, until it is ready.
func (p *process) start(env ...string) {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), "CRIERD_TEST_CONFIG="+filepath.Join(p.dir, "crier.yaml"), "CRIER_TOKEN="+token)
	p.cmd.Env = append(p.cmd.Env, env...)
	require.NoError(p.t, p.cmd.Start())
	for range 1000 {
		if status, _ := p.do(http.MethodGet, "/readyz", ""); status == http.StatusOK {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	require.Fail(p.t, "the daemon did not get ready")
}

func (p *process) kill() { _ = p.cmd.Process.Signal(syscall.SIGKILL) }

func (p *process) do(method, path, body string) (int, string) {
	r, err := http.NewRequest(method, p.base+path, strings.NewReader(body))
	require.NoError(p.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Idempotency-Key", fmt.Sprintf("%x", sha256.Sum256([]byte(path+body))))
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = a.Body.Close() }()
	var text strings.Builder
	buf := make([]byte, 32<<10)
	for {
		n, err := a.Body.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			return a.StatusCode, text.String()
		}
	}
}

// newScene is a receiver, and a running daemon that has people enrolled and tells
// it of them.
func newScene(t *testing.T) (*receiver, *process) {
	t.Helper()
	r := &receiver{keys: map[string]map[string]int{}, to: map[string]map[string]string{}}
	hooks := httptest.NewServer(r)
	t.Cleanup(hooks.Close)
	p := newProcess(t, hooks.URL)
	p.start()
	t.Cleanup(func() {
		p.kill()
		_ = p.cmd.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
	status, text := p.do(http.MethodPost, "/v1/participants/import", people())
	require.Equal(t, http.StatusOK, status, text)
	return r, p
}

// state is what the test reads of an action.
type state struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	InFlight int    `json:"in_flight"`
	Messages []struct {
		Channels map[string]struct {
			Planned int `json:"planned"`
			Pending int `json:"pending"`
		} `json:"channels"`
	} `json:"messages"`
}

func (p *process) action(method, path, body string) state {
	status, text := p.do(method, path, body)
	require.Less(p.t, status, 300, text)
	require.NotZero(p.t, status)
	var s state
	require.NoError(p.t, json.Unmarshal([]byte(text), &s))
	return s
}

// until reads an action until it is as it should be.
func (p *process) until(id string, ok func(state) bool) state {
	p.t.Helper()
	for range 3000 {
		if s := p.action(http.MethodGet, "/v1/actions/"+id, ""); ok(s) {
			return s
		}
		<-time.After(10 * time.Millisecond)
	}
	require.Fail(p.t, "the action did not get there")
	return state{}
}

func people() string {
	var b strings.Builder
	for i := range killPeople {
		fmt.Fprintf(&b, `{"id":"p%d","contacts":{"sms":"+316%08d"},"places":[{"point":[%f,52.3731],"channels":["sms"],"schedule":"always"}]}`+"\n", i, i, 4.8926+float64(i)/1e5)
	}
	return b.String()
}

const child = `{"kind":"missing","area":{"circle":{"center":[4.8926,52.3731],"radius_m":5000}},"text":"Uitkijken naar jongen van 9","reference":"%d"}`

// TestKill kills the daemon, with SIGKILL, in the middle of a send, at a random
// batch, twenty times; every fifth time the action is closed right after the
// restart. Nobody is lost, no more than what was in flight comes twice, always
// under the same key, and whoever heard the beginning hears the end.
func TestKill(t *testing.T) {
	t.Parallel()
	cycles := 20
	if testing.Short() {
		cycles = 3
	}
	r, p := newScene(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for cycle := range cycles {
		died := make(chan struct{})
		r.mu.Lock()
		r.at = r.count + 1 + random.IntN(killPeople/killBatch-5)
		r.kill = func() { p.kill(); close(died) }
		r.mu.Unlock()
		body := fmt.Sprintf(child, cycle)
		_, _ = p.do(http.MethodPost, "/v1/actions", body) // the daemon may die before it answers
		<-died
		require.Error(t, p.cmd.Wait())
		p.start()
		s := p.action(http.MethodPost, "/v1/actions", body) // the same request again: the same action
		r.finish(t, p, s.ID, cycle%5 == 4, fmt.Sprintf("seed %d, cycle %d", seed, cycle))
	}
}

// finish brings an action to its end after a restart, and judges it.
func (r *receiver) finish(t *testing.T, p *process, id string, at bool, note string) {
	bound := killWorkers * killBatch
	if !at {
		p.until(id, func(s state) bool { return s.Messages[0].Channels["sms"].Pending == 0 })
		require.Len(t, r.seen(id+"alert"), killPeople, "%s: nobody is lost", note)
	}
	p.action(http.MethodPost, "/v1/actions/"+id+"/close", `{"result":"found","text":"Gevonden, dank u."}`)
	p.until(id, func(s state) bool { return s.Status == "closed" })
	alert, closing := r.seen(id+"alert"), r.seen(id+"closing")
	repeated := 0
	for _, n := range alert {
		repeated += n - 1
	}
	require.LessOrEqual(t, repeated, bound, "%s: no more than what was in flight comes twice", note)
	require.Len(t, r.to[id+"alert"], len(alert), "%s: one key each", note)
	for to := range r.to[id+"alert"] {
		require.Contains(t, r.to[id+"closing"], to, "%s: who heard hears the end", note)
	}
	for _, n := range closing {
		require.Equal(t, 1, n, note)
	}
	require.LessOrEqual(t, len(closing)-len(alert), bound, note)
}

// seen is how often each key came; the daemon is quiet when it is asked.
func (r *receiver) seen(name string) map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[name]
}

// TestStop ends the daemon by SIGTERM's way in the middle of a send: it finishes
// what is under way, and the next one goes on.
func TestStop(t *testing.T) {
	t.Parallel()
	r, p := newScene(t)
	r.mu.Lock()
	r.at, r.kill = 5, func() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }
	r.mu.Unlock()
	body := fmt.Sprintf(child, 1)
	_, _ = p.do(http.MethodPost, "/v1/actions", body) // the daemon may stop before it answers
	require.NoError(t, p.cmd.Wait(), "a stop is not a failure")
	p.start()
	id := p.action(http.MethodPost, "/v1/actions", body).ID // the same request again: the same action
	p.until(id, func(s state) bool { return s.Messages[0].Channels["sms"].Pending == 0 })
	seen := r.seen(id + "alert")
	require.Len(t, seen, killPeople)
	for _, n := range seen {
		require.Equal(t, 1, n, "nothing comes twice after an orderly stop")
	}
}
