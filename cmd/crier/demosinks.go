package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/channels/record"
	"github.com/crierd/crier/fanout"
)

// demoSinks record what would be sent; that of SMS also asks for a pause now and
// then, as a provider under load does.
type demoSinks struct {
	record  *record.Sink
	batches atomic.Int64 // of SMS
}

// newDemoSinks records contacts too: they are made up.
func newDemoSinks(dir string) (*demoSinks, error) {
	sink, err := record.Open(filepath.Clean(dir), record.Config{Contacts: true})
	return &demoSinks{record: sink}, err
}

// A provider that asks for a pause, every so many batches.
const (
	throttleEvery = 12
	throttleFor   = 300 * time.Millisecond
)

func (s *demoSinks) sms(ctx context.Context, b *channels.Batch) ([]channels.Answer, error) {
	if s.batches.Add(1)%throttleEvery == throttleEvery/2 {
		return nil, &channels.ThrottledError{After: throttleFor, Err: errors.New("too many requests")}
	}
	return s.record.Send(ctx, b)
}

// channels are the demo's channels, with a rate each, without limit where none is given.
func (s *demoSinks) channels(rates map[string]float64) map[string]fanout.Channel {
	all := map[string]fanout.Channel{}
	for _, name := range []string{channels.App, channels.SMS, channels.Email, channels.Voice} {
		rate := rates[name]
		all[name] = fanout.Channel{Sink: s.record, Rate: rate, Burst: max(1, int(rate/4)), Workers: 2}
	}
	sms := all[channels.SMS]
	sms.Sink = channels.SinkFunc(s.sms)
	all[channels.SMS] = sms
	return all
}
