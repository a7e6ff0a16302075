package fanout

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/geoindex"
)

// Config is how an [Engine] works. The zero value is right but reaches nobody:
// it has no channels.
type Config struct {
	// Channels by name. A channel that is not here cannot be used by an action;
	// a running action that was planned over it waits until it is back.
	Channels map[string]Channel

	// Drill takes the batches of drills, whatever their channel. default: none,
	// and drills are refused. A drill never reaches a sink of Channels.
	Drill channels.Sink

	Policy   Policy          // default: DefaultPolicy()
	Language string          // of texts without a translation. default: "nl"
	Timezone string          // of participants who name none; IANA. default: "Europe/Amsterdam"
	Batch    int             // recipients a batch at most. default: 500
	Limits   geoindex.Limits // of areas. default: those of geoindex
	Deadline time.Duration   // of alerts that name none. default: 60 m
	Drain    time.Duration   // how long a closing waits for claims under way. default: 30 s

	Logger *slog.Logger     // default: discards
	Now    func() time.Time // default: time.Now
}

// Channel is one way to reach people and its limits.
type Channel struct {
	Sink    channels.Sink
	Rate    float64       // units a second; a recipient is one unit. 0: no limit
	Burst   int           // units at once. default: what Rate lets out in one second, at least 1
	Workers int           // batches under way at once. default: 1
	Batch   int           // recipients a batch at most. default: Config.Batch, or the sink's maximum if less
	Timeout time.Duration // of one hand-over. default: 30 s
}

func (c Config) withDefaults() Config {
	if c.Policy == nil {
		c.Policy = DefaultPolicy()
	}
	c.Language = cmp.Or(c.Language, "nl")
	c.Timezone = cmp.Or(c.Timezone, "Europe/Amsterdam")
	c.Batch = cmp.Or(c.Batch, 500)
	c.Deadline = cmp.Or(c.Deadline, time.Hour)
	c.Drain = cmp.Or(c.Drain, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	channels := make(map[string]Channel, len(c.Channels))
	for name, ch := range c.Channels {
		channels[name] = ch.withDefaults(c.Batch)
	}
	c.Channels = channels
	return c
}

func (c Channel) withDefaults(batch int) Channel {
	c.Burst = cmp.Or(c.Burst, max(1, int(c.Rate)))
	c.Workers = cmp.Or(c.Workers, 1)
	c.Batch = cmp.Or(c.Batch, batch)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	if b, ok := c.Sink.(channels.Bounded); ok {
		c.Batch = min(c.Batch, b.MaxBatch())
	}
	return c
}

// batch is the size of a segment's batches: what one claim may cover, so that
// a stop takes effect within about a second (design section 5).
func (c Channel) batch() int {
	if c.Rate == 0 {
		return c.Batch
	}
	return max(1, min(c.Batch, int(c.Rate), c.Burst))
}

func (c Config) validate() error {
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		return fmt.Errorf("timezone: %w", err)
	}
	for name, ch := range c.Channels {
		switch {
		case ch.Sink == nil:
			return fmt.Errorf("channel %s: no sink", name)
		case ch.Rate < 0:
			return fmt.Errorf("channel %s: rate is %g a second, below 0", name, ch.Rate)
		case ch.Burst < 1:
			return fmt.Errorf("channel %s: burst is %d, below 1", name, ch.Burst)
		case ch.Workers < 1:
			return fmt.Errorf("channel %s: %d workers", name, ch.Workers)
		case ch.Batch < 1:
			return fmt.Errorf("channel %s: batch is %d, below 1", name, ch.Batch)
		case ch.Timeout < 0:
			return fmt.Errorf("channel %s: timeout is %v", name, ch.Timeout)
		}
	}
	if len(c.Channels) > maxChannels {
		return fmt.Errorf("%d channels, at most %d", len(c.Channels), maxChannels)
	}
	if c.Batch < 1 {
		return fmt.Errorf("batch is %d, below 1", c.Batch)
	}
	if c.Deadline < 0 || c.Drain < 0 {
		return fmt.Errorf("deadline is %v and drain %v: neither may be below 0", c.Deadline, c.Drain)
	}
	return c.Policy.validate()
}
