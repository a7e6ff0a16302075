package fanout

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
)

var found = Conclusion{Result: "found", Text: Text{"nl": "Gevonden, dank u."}}

func TestPauseStopsWithinABatch(t *testing.T) {
	bubble(t, only(Channel{Rate: 10, Burst: 10}), func(t *testing.T, w *world) {
		ctx := context.Background()
		w.enrol(100)
		id := w.start(missing(500)).ID
		pass(3 * time.Second)
		s, err := w.Pause(ctx, id, Origin{})
		require.NoError(t, err)
		require.Equal(t, Paused, s.Status)
		synctest.Wait()
		before := w.providers[channels.SMS].handOvers()
		pass(time.Minute)
		require.Equal(t, before, w.providers[channels.SMS].handOvers())
		s, err = w.Action(id)
		require.NoError(t, err)
		require.Equal(t, "paused", s.on(1, channels.SMS).Waiting)
		_, err = w.Pause(ctx, id, Origin{})
		require.ErrorIs(t, err, ErrStatus)

		w.close() // a pause outlives the process
		w.open()
		pass(time.Minute)
		require.Equal(t, before, w.providers[channels.SMS].handOvers())
		_, err = w.Resume(ctx, id, Origin{})
		require.NoError(t, err)
		require.Equal(t, 100, w.finished(id).on(1, channels.SMS).Accepted)
	})
}

func TestPausedActionExpires(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		w.enrol(10)
		a := missing(500)
		a.Waves, a.Deadline = Waves{Rings: []float64{5}, Spacing: time.Minute}, 10*time.Minute
		id := w.start(a).ID
		synctest.Wait()
		_, err := w.Pause(context.Background(), id, Origin{})
		require.NoError(t, err)
		pass(11 * time.Minute)
		s, err := w.Action(id)
		require.NoError(t, err)
		require.Equal(t, 5, s.on(1, channels.SMS).Accepted)
		require.Equal(t, 5, s.on(1, channels.SMS).Expired)
	})
}

func TestCancelWithdrawsAndCorrects(t *testing.T) {
	bubble(t, only(Channel{Rate: 10, Burst: 10}), func(t *testing.T, w *world) {
		ctx := context.Background()
		w.enrol(100)
		id := w.start(missing(500)).ID
		pass(3 * time.Second)
		_, err := w.Cancel(ctx, id, Cancellation{Reason: "wrong child"})
		require.ErrorIs(t, err, ErrTextRequired)
		s, err := w.Action(id)
		require.NoError(t, err)
		require.Equal(t, Running, s.Status, "it goes on")
		s, err = w.Cancel(ctx, id, Cancellation{Reason: "wrong child", Text: Text{"nl": "Vergissing, excuses."}})
		require.NoError(t, err)
		reached := s.on(1, channels.SMS).Accepted
		require.InDelta(t, 30, reached, 10)
		require.Equal(t, 100-reached, s.on(1, channels.SMS).Withdrawn)
		s = w.finished(id)
		require.Equal(t, Cancelled, s.Status)
		require.Equal(t, "wrong child", s.Reason)
		require.Equal(t, reached, s.on(2, channels.SMS).Accepted)
		sms := w.providers[channels.SMS]
		require.Equal(t, sms.to(Alert), sms.to(Correction))
		_, err = w.Conclude(ctx, id, found)
		require.ErrorIs(t, err, ErrStatus)
	})
}

func TestCancelBeforeAnybodyHeardNeedsNoText(t *testing.T) {
	bubble(t, only(Channel{Rate: 1, Burst: 1}), func(t *testing.T, w *world) {
		w.enrol(10)
		id := w.start(missing(500)).ID
		s, err := w.Cancel(context.Background(), id, Cancellation{})
		require.NoError(t, err)
		require.Equal(t, Cancelled, s.Status)
		require.Equal(t, 10, w.finished(id).on(1, channels.SMS).Withdrawn)
		pass(time.Minute)
		require.Zero(t, w.providers[channels.SMS].handOvers())
	})
}

// TestConcludeWhileSending: what has not left is withdrawn, a batch under way is
// waited for, and exactly the reached hear the end.
func TestConcludeWhileSending(t *testing.T) {
	bubble(t, only(Channel{Rate: 10, Burst: 10, Workers: 3}), func(t *testing.T, w *world) {
		w.enrol(100)
		sms := w.providers[channels.SMS]
		sms.answer = func(_ context.Context, b *channels.Batch) ([]channels.Answer, error) {
			if b.Phase == string(Alert) {
				pass(2 * time.Second) // a slow provider: batches are under way when the end comes
			}
			return accept(b), nil
		}
		id := w.start(missing(500)).ID
		pass(4*time.Second + 500*time.Millisecond)
		s, err := w.Conclude(context.Background(), id, found)
		require.NoError(t, err)
		require.Equal(t, Closing, s.Status)
		reached := len(sms.to(Alert))
		require.Less(t, reached, 60)
		require.Equal(t, 100-reached, s.on(1, channels.SMS).Withdrawn)
		require.Equal(t, reached, s.on(2, channels.SMS).Planned)
		w.finished(id)
		require.Equal(t, sms.to(Alert), sms.to(Ending))
	})
}

// TestUnknownHearsTheEnd: a provider that took the alert and never answered.
func TestUnknownHearsTheEnd(t *testing.T) {
	config := only(Channel{Timeout: 10 * time.Minute, Batch: 5})
	config.Drain = 5 * time.Second
	bubble(t, config, func(t *testing.T, w *world) {
		w.enrol(5)
		sms := w.providers[channels.SMS]
		sms.answer = func(ctx context.Context, b *channels.Batch) ([]channels.Answer, error) {
			if b.Phase == string(Alert) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return accept(b), nil
		}
		id := w.start(missing(500)).ID
		synctest.Wait()
		begun := time.Now()
		s, err := w.Conclude(context.Background(), id, found)
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, time.Since(begun), "no longer than the drain")
		require.Equal(t, 5, s.on(1, channels.SMS).Unknown)
		s = w.finished(id)
		require.Equal(t, 5, s.on(2, channels.SMS).Accepted)
		require.Equal(t, numbers(5), sms.to(Ending))
	})
}

func TestErasedDoNotHearTheEnd(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.enrol(10)
		id := w.finished(w.start(missing(500)).ID).ID
		require.NoError(t, w.Erase(ctx, "p00003", Origin{}))
		_, err := w.Conclude(ctx, id, found)
		require.NoError(t, err)
		s := w.finished(id)
		require.Equal(t, 9, s.on(2, channels.SMS).Accepted)
		require.Equal(t, 1, s.on(2, channels.SMS).Withdrawn)
		require.NotContains(t, w.providers[channels.SMS].to(Ending), number(3))
	})
}

func TestClosingIgnoresWindows(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		p := neighbour(0, 1)
		p.Timezone = "UTC"
		p.Places[0].Schedule = schedule("Mo-Su 00:00-00:10") // the bubble begins at midnight
		require.NoError(t, w.Enrol(context.Background(), p))
		id := w.finished(w.start(missing(500)).ID).ID
		pass(time.Hour)
		_, err := w.Conclude(context.Background(), id, found)
		require.NoError(t, err)
		require.Equal(t, 1, w.finished(id).on(2, channels.SMS).Accepted)
	})
}

func TestClosingExpiresAfterADay(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		w.enrol(3)
		id := w.finished(w.start(missing(500)).ID).ID
		w.providers[channels.SMS].answer = func(context.Context, *channels.Batch) ([]channels.Answer, error) {
			return nil, &channels.ThrottledError{After: time.Hour}
		}
		_, err := w.Conclude(context.Background(), id, found)
		require.NoError(t, err)
		begun := time.Now()
		s := w.finished(id)
		require.Equal(t, 24*time.Hour, time.Since(begun).Round(time.Minute))
		require.Equal(t, Closed, s.Status)
		require.Equal(t, 3, s.on(2, channels.SMS).Expired)
	})
}

func TestConcludeRefuses(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.enrol(1)
		id := w.finished(w.start(missing(500)).ID).ID
		for path, c := range map[string]Conclusion{
			"text":   {},
			"result": {Result: "lost", Text: Text{"nl": "x"}},
			"title":  {Text: Text{"nl": "x"}, Title: Text{"en": "x"}},
		} {
			_, err := w.Conclude(ctx, id, c)
			var refused *FieldError
			require.ErrorAs(t, err, &refused, path)
			require.Equal(t, path, refused.Path)
		}
		keyed := found
		keyed.Origin = Origin{Caller: "desk", Key: "k", Fingerprint: [32]byte{1}}
		first, err := w.Conclude(ctx, id, keyed)
		require.NoError(t, err)
		second, err := w.Conclude(ctx, id, keyed)
		require.NoError(t, err, "the same request again has the same answer")
		require.Equal(t, first.ID, second.ID)
		require.Len(t, w.finished(id).Messages, 2)
	})
}

func TestEventsTellTheStory(t *testing.T) {
	bubble(t, Config{Batch: 2}, func(t *testing.T, w *world) {
		w.enrol(4)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var types []string
		accepted := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ev := range w.Events(ctx, "", 0) {
				types = append(types, ev.Type+string(ev.Status))
				if ev.Batch != nil {
					accepted += ev.Batch.Counts["accepted"]
				}
				if ev.Status == Closed {
					return
				}
			}
		}()
		synctest.Wait()
		id := w.finished(w.start(missing(500)).ID).ID
		_, err := w.Conclude(context.Background(), id, found)
		require.NoError(t, err)
		<-done
		require.Equal(t, []string{"statusrunning", "batch", "batch", "statusclosing", "batch", "batch", "statusclosed"}, types)
		require.Equal(t, 8, accepted)

		late := 0
		for ev := range w.Events(ctx, id, 1) {
			if late++; ev.Type == "gap" {
				require.Equal(t, 1, late, "what is no longer kept is told first")
			}
			if ev.Status == Closed {
				break
			}
		}
		require.Equal(t, 8, late)
	})
}
