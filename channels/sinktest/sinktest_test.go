package sinktest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/channels/sinktest"
)

// memory is the simplest sink that does everything a rig can ask for.
type memory struct {
	mu       sync.Mutex
	keys     []string
	verdicts map[string]channels.Verdict
	fault    func(context.Context) error
}

func (m *memory) Send(ctx context.Context, b *channels.Batch) ([]channels.Answer, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil {
		return nil, m.fault(ctx)
	}
	answers := make([]channels.Answer, len(b.Recipients))
	for i := range b.Recipients {
		key := b.Recipients[i].Key
		m.keys = append(m.keys, key)
		answers[i].Verdict = max(m.verdicts[key], channels.Accepted)
	}
	return answers, nil
}

func TestMemory(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(*testing.T) *sinktest.Rig {
		m := new(memory)
		return &sinktest.Rig{
			Sink:     m,
			Received: func() []string { return m.keys },
			Judge:    func(v map[string]channels.Verdict) { m.verdicts = v },
			Throttle: func(after time.Duration) {
				m.fault = func(context.Context) error { return &channels.ThrottledError{After: after} }
			},
			Fail:   func() { m.fault = func(context.Context) error { return channels.ErrKey } },
			Stall:  func() { m.fault = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() } },
			Heal:   func() { m.fault = nil },
			Output: func() string { return "" },
		}
	})
}

// TestBareRig runs the suite with nothing but a sink.
func TestBareRig(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(*testing.T) *sinktest.Rig {
		return &sinktest.Rig{Sink: channels.SinkFunc(new(memory).Send)}
	})
}

func TestBatch(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for number := range 5 {
		b := sinktest.Batch(number, 300)
		require.NoError(t, b.Validate())
		for i := range b.Recipients {
			r := &b.Recipients[i]
			require.False(t, seen[r.Key])
			require.False(t, seen[r.To.Reveal()])
			seen[r.Key], seen[r.To.Reveal()] = true, true
		}
	}
}

func ExampleBatch() {
	b := sinktest.Batch(1, 2)
	_, _ = new(memory).Send(context.Background(), b)
	for i := range b.Recipients {
		fmt.Println(b.Recipients[i].Key, b.Recipients[i].Lang)
	}
	// Output:
	// key-1-0 nl
	// key-1-1 nl
}
