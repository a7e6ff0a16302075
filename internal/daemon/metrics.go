package daemon

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics tells. They name no participant, contact or action.
type metrics struct {
	registry *prometheus.Registry
	planned  prometheus.Histogram
	refused  *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		planned: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "crier_plan_seconds", Help: "Time that a plan took, counts and digests included.",
			Buckets: prometheus.ExponentialBuckets(16e-6, 2, 16),
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "crier_refused_total", Help: "Requests that were refused, by the status of the answer.",
		}, []string{"status"}),
	}
	m.registry.MustRegister(m.planned, m.refused, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// engineMetrics reads the engine's counters when they are asked for.
type engineMetrics struct {
	daemon                                                   *Daemon
	actions, throttles, failed, outcomes, waiting, oldest    *prometheus.Desc
	participants, places, indexBytes, storeBytes, unanswered *prometheus.Desc
}

func newEngineMetrics(d *Daemon) *engineMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("crier_"+name, help, labels, nil)
	}
	return &engineMetrics{
		daemon:       d,
		actions:      desc("actions", "Actions that lanes may still have work for."),
		throttles:    desc("throttles_total", "Times that a provider asked for a pause."),
		failed:       desc("lanes_failed", "1 if the store took no more writes and sending has stopped."),
		outcomes:     desc("outcomes_total", "Recipients by final outcome.", "channel", "outcome"),
		unanswered:   desc("unanswered_total", "Batches that were handed over and not answered.", "channel"),
		waiting:      desc("waiting", "Recipients that no worker has taken yet.", "channel"),
		oldest:       desc("oldest_waiting_seconds", "How long the oldest of them has been due.", "channel"),
		participants: desc("participants", "Participants enrolled."),
		places:       desc("places", "Places enrolled."),
		indexBytes:   desc("index_bytes", "Memory of the index."),
		storeBytes:   desc("store_bytes", "Disk that the store takes."),
	}
}

// Describe sends the descriptions.
func (m *engineMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.actions, m.throttles, m.failed, m.outcomes, m.waiting, m.oldest, m.unanswered,
		m.participants, m.places, m.indexBytes, m.storeBytes,
	} {
		ch <- d
	}
}

// Collect sends the values.
func (m *engineMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	now := m.daemon.engine.Metrics()
	gauge(m.actions, float64(now.Actions))
	counter(m.throttles, float64(now.Throttles))
	failed := 0.0
	if m.daemon.engine.Err() != nil {
		failed = 1
	}
	gauge(m.failed, failed)
	for channel, c := range now.Channels {
		for outcome, n := range c.Outcomes {
			counter(m.outcomes, float64(n), channel, outcome)
		}
		gauge(m.waiting, float64(c.Waiting), channel)
		gauge(m.oldest, c.Oldest.Seconds(), channel)
		counter(m.unanswered, float64(c.Unanswered), channel)
	}
	stats := m.daemon.store.Stats()
	gauge(m.participants, float64(stats.Participants))
	gauge(m.places, float64(stats.Places))
	gauge(m.storeBytes, float64(stats.Bytes))
	_, size := m.daemon.engine.IndexSize()
	gauge(m.indexBytes, float64(size))
}
