package fanout

import (
	"sync"
	"sync/atomic"
	"time"
)

// Metrics are counters since the engine was opened, and gauges of this moment.
// They name no participant, contact or action.
type Metrics struct {
	Actions   int // live
	Throttles int64
	Channels  map[string]ChannelMetrics
}

// ChannelMetrics are those of one channel.
type ChannelMetrics struct {
	Outcomes map[string]int64 // recipients by final outcome
	Waiting  int              // recipients that no worker has taken
	Oldest   time.Duration    // how long the oldest of them has been due; 0: none

	Unanswered int64 // batches handed over of which nothing is known
}

// metrics are the counters behind.
type metrics struct {
	throttles atomic.Int64
	mu        sync.Mutex                  // guards outcomes
	outcomes  map[string]*[outcomes]int64 // by channel
}

// record counts the outcomes that an entry made final.
func (m *metrics) record(channel string, before, after *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.outcomes == nil {
		m.outcomes = map[string]*[outcomes]int64{}
	}
	if m.outcomes[channel] == nil {
		m.outcomes[channel] = new([outcomes]int64)
	}
	for i, r := range after.Results {
		if r.Outcome.final() && (before == nil || !before.Results[i].Outcome.final()) {
			m.outcomes[channel][r.Outcome]++
		}
	}
}

// Metrics reads the counters and gauges.
func (e *Engine) Metrics() Metrics {
	now := e.cfg.Now()
	m := Metrics{Throttles: e.metrics.throttles.Load(), Channels: map[string]ChannelMetrics{}, Actions: len(e.running())}
	for name, l := range e.lanes {
		c := ChannelMetrics{Outcomes: map[string]int64{}}
		var oldest time.Time
		if c.Waiting, oldest = l.waiting(priorityLow); c.Waiting > 0 {
			c.Oldest = max(0, now.Sub(oldest))
		}
		c.Unanswered = l.unanswered.Load()
		m.Channels[name] = c
	}
	e.metrics.mu.Lock()
	defer e.metrics.mu.Unlock()
	for name, counts := range e.metrics.outcomes {
		for o, n := range counts {
			if Outcome(o).final() {
				m.Channels[name].Outcomes[Outcome(o).String()] = n
			}
		}
	}
	return m
}
