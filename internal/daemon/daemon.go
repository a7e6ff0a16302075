// Package daemon is HTTP in front of a fanout.Engine: it decodes, authorises,
// calls and encodes. It is a package of its own, and not part of cmd/crierd, so
// that the demo serves what it has made with the very same code.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/store"
)

// Daemon serves one store directory. [Run] is the only way to one.
type Daemon struct {
	store    *store.Store
	engine   *fanout.Engine
	guard    *guard
	api      huma.API
	log      *slog.Logger
	language string
	metrics  *metrics
	busy     sync.Map // requests being carried out, by caller and idempotency key
}

// Version is the program's version: that of its module, or of its commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}

// Limits of a connection. Streams set their own deadlines.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 30 * time.Second
	answerTimeout = time.Minute // ending an action may wait for batches under way
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	stopTimeout   = 10 * time.Second // of requests under way when the daemon stops
	forgetEvery   = time.Hour        // idempotency keys that have had their week
)

// Run opens the store, resumes what was running and serves until ctx ends; then
// it stops taking batches, records the answers of those under way, and closes.
// It listens at once: until it is ready, /readyz and every call answer 503.
func Run(ctx context.Context, config Config) error {
	config = config.withDefaults()
	listener, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return Serve(ctx, config, listener)
}

// Serve is [Run] on a listener, which it closes.
func Serve(ctx context.Context, config Config, listener net.Listener) error {
	config = config.withDefaults()
	front := &front{}
	server := &http.Server{
		Handler: front, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: answerTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(config.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err := serve(ctx, config, front, server, served)
	if stopped := server.Close(); !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}

// serve has a daemon behind the front for as long as ctx lasts.
func serve(ctx context.Context, config Config, front *front, server *http.Server, served <-chan error) error {
	d, token, err := open(ctx, config)
	if err != nil {
		return err
	}
	front.show(d.handler())
	config.Logger.Info("ready", "listen", config.Listen, "data", config.Data)
	if config.Ready != nil {
		config.Ready(token)
	}
	ended := d.wait(ctx, served)
	front.show(nil)
	closing := d.engine.Close() // ends event streams, too
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	stopping := server.Shutdown(patience)
	return errors.Join(ended, closing, stopping, d.store.Close())
}

// open opens the store and the engine.
func open(ctx context.Context, config Config) (*Daemon, string, error) {
	storing, err := config.storeConfig()
	if err != nil {
		return nil, "", err
	}
	sending, err := config.engineConfig()
	if err != nil {
		return nil, "", err
	}
	st, err := store.Open(config.Data, storing)
	if err != nil {
		return nil, "", err
	}
	d := &Daemon{store: st, log: config.Logger, metrics: newMetrics()}
	var token string
	if d.guard, token, err = newGuard(ctx, st, store.Token{Created: config.Now()}); err != nil {
		return nil, "", errors.Join(err, st.Close())
	}
	if d.engine, err = fanout.Open(ctx, st, sending); err != nil {
		return nil, "", errors.Join(err, st.Close())
	}
	if d.language = config.Language; d.language == "" {
		d.language = "nl"
	}
	d.metrics.registry.MustRegister(newEngineMetrics(d))
	return d, token, nil
}

// handler serves everything.
func (d *Daemon) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", d.metrics.handler())
	d.routes(mux)
	return mux
}

// wait is until the daemon has to stop, and forgets old idempotency keys
// meanwhile.
func (d *Daemon) wait(ctx context.Context, served <-chan error) error {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	check := time.NewTicker(time.Second)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return fmt.Errorf("serve: %w", err)
		case <-check.C:
			if err := d.engine.Err(); err != nil {
				return err // a new process resumes
			}
		case <-tick.C:
			err := d.store.Update(ctx, func(tx *store.Tx) error { return tx.ForgetRequests(time.Now().Add(-weekOfKeys)) })
			if err != nil {
				d.log.Warn("old idempotency keys are kept", "error", err)
			}
		}
	}
}

// front answers for a daemon that is being opened or closed.
type front struct {
	behind atomic.Pointer[http.Handler] // nil: not ready
}

func (f *front) show(h http.Handler) {
	if h == nil {
		f.behind.Store(nil)
		return
	}
	f.behind.Store(&h)
}

// ServeHTTP answers for health itself, and passes everything else on.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := f.behind.Load()
	switch {
	case r.URL.Path == "/healthz":
		_, _ = w.Write([]byte("ok\n")) // the caller has gone, if it fails
	case h == nil:
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"title":"Service Unavailable","status":503,"detail":"not ready: loading, or stopping"}` + "\n"))
	case r.URL.Path == "/readyz":
		_, _ = w.Write([]byte("ready\n"))
	default:
		(*h).ServeHTTP(w, r)
	}
}
