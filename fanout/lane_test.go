package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
)

// only has one channel, sms.
func only(c Channel) Config { return Config{Channels: map[string]Channel{channels.SMS: c}} }

func TestNearestFirst(t *testing.T) {
	config := only(Channel{Batch: 10})
	bubble(t, config, func(t *testing.T, w *world) {
		for i := range 100 { // enrolled from far to near
			require.NoError(t, w.Enrol(context.Background(), neighbour(i, float64(1000-10*i))))
		}
		a := missing(2000)
		a.Waves = Waves{Rings: []float64{250, 500, 750}, Spacing: time.Minute}
		begun := time.Now()
		w.finished(w.start(a).ID)
		require.Equal(t, 3*time.Minute, time.Since(begun).Round(time.Second), "waves a minute apart")
		var order []string
		for _, b := range w.providers[channels.SMS].batches {
			for _, r := range b.Recipients {
				order = append(order, r.To.Reveal())
			}
		}
		require.Len(t, order, 100)
		wave := func(n string) int {
			i := slices.Index(numbers(100), n)
			return []int{3, 2, 1, 0}[min(3, i/25)]
		}
		require.True(t, slices.IsSortedFunc(order, func(x, y string) int { return wave(x) - wave(y) }))
	})
}

func TestRateHolds(t *testing.T) {
	bubble(t, only(Channel{Rate: 20, Burst: 10, Workers: 4}), func(t *testing.T, w *world) {
		w.enrol(300)
		begun := time.Now()
		id := w.start(missing(500)).ID
		pass(5 * time.Second)
		synctest.Wait()
		s, err := w.Action(id)
		require.NoError(t, err)
		require.LessOrEqual(t, s.on(1, channels.SMS).Accepted, 5*20+10)
		require.GreaterOrEqual(t, s.on(1, channels.SMS).Accepted, 5*20-20)
		w.finished(id)
		require.InDelta(t, 15, time.Since(begun).Seconds(), 1)
		for _, b := range w.providers[channels.SMS].batches {
			require.LessOrEqual(t, len(b.Recipients), 10, "a batch is no more than the burst")
		}
	})
}

func TestThrottlePausesAndKeepsTheOrder(t *testing.T) {
	bubble(t, only(Channel{Batch: 10}), func(t *testing.T, w *world) {
		w.enrol(50)
		sms, calls := w.providers[channels.SMS], 0
		sms.answer = func(_ context.Context, b *channels.Batch) ([]channels.Answer, error) {
			if calls++; calls == 2 {
				return nil, &channels.ThrottledError{After: 7 * time.Second}
			}
			return accept(b), nil
		}
		begun := time.Now()
		s := w.finished(w.start(missing(500)).ID)
		require.Equal(t, 50, s.on(1, channels.SMS).Accepted)
		require.Equal(t, 7*time.Second, time.Since(begun).Round(time.Second))
		require.Equal(t, sms.batches[1].ID, sms.batches[2].ID, "the same batch goes first after the pause")
		require.Equal(t, sms.batches[1].Recipients, sms.batches[2].Recipients)
		require.Equal(t, int64(1), w.Metrics().Throttles)
	})
}

// TestAnswersBecomeOutcomes gives one answer of each kind.
func TestAnswersBecomeOutcomes(t *testing.T) {
	bubble(t, only(Channel{}), func(t *testing.T, w *world) {
		w.enrol(4)
		w.providers[channels.SMS].answer = func(_ context.Context, b *channels.Batch) ([]channels.Answer, error) {
			answers := accept(b)
			for i, r := range b.Recipients {
				switch {
				case r.To == channels.Contact(number(1)):
					answers[i] = channels.Answer{Verdict: channels.Rejected, Reason: "unknown subscriber"}
				case r.To == channels.Contact(number(2)) && b.Attempt < 3:
					answers[i] = channels.Answer{Verdict: channels.Retry, Reason: "busy"}
				case r.To == channels.Contact(number(3)):
					answers[i] = channels.Answer{Verdict: channels.Retry}
				}
			}
			return answers, nil
		}
		s := w.finished(w.start(missing(500)).ID)
		c := s.on(1, channels.SMS)
		c.Waves, c.ETA = nil, 0
		require.Equal(t, Counts{Planned: 4, Accepted: 2, Rejected: 1, Failed: 1}, c)
		require.Equal(t, map[string]int64{"accepted": 2, "rejected": 1, "failed": 1, "expired": 0, "withdrawn": 0}, w.Metrics().Channels[channels.SMS].Outcomes)
		rows := map[string]Row{}
		for row, err := range w.Ledger(s.ID, Query{}) {
			require.NoError(t, err)
			rows[row.Participant] = row
		}
		require.Equal(t, "unknown subscriber", rows["p00001"].Reason)
		require.Equal(t, Accepted, rows["p00002"].Outcome)
		require.Equal(t, reasonAttempts, rows["p00003"].Reason)
		var missed []string
		for row, err := range w.Ledger(s.ID, Query{Outcome: Missed}) {
			require.NoError(t, err)
			missed = append(missed, row.Participant)
		}
		require.Equal(t, []string{"p00001", "p00003"}, missed)
	})
}

func TestWithoutAnswerTheSameKeysGoAgain(t *testing.T) {
	bubble(t, only(Channel{Timeout: 3 * time.Second}), func(t *testing.T, w *world) {
		w.enrol(3)
		sms, calls := w.providers[channels.SMS], 0
		sms.answer = func(ctx context.Context, b *channels.Batch) ([]channels.Answer, error) {
			switch calls++; calls {
			case 1:
				<-ctx.Done() // a provider that hangs
				return nil, ctx.Err()
			case 2:
				return accept(b)[:2], nil // one that answers too few
			case 3:
				return nil, errors.New("connection reset")
			}
			return accept(b), nil
		}
		s := w.finished(w.start(missing(500)).ID)
		require.Equal(t, 3, s.on(1, channels.SMS).Accepted)
		require.Len(t, sms.seen, 3, "no new keys")
		require.Len(t, sms.batches, 4)
		require.Equal(t, 4, sms.batches[3].Attempt)
	})
}

func TestDeadlineExpires(t *testing.T) {
	bubble(t, only(Channel{Rate: 1, Burst: 1}), func(t *testing.T, w *world) {
		w.enrol(100)
		a := missing(500)
		a.Deadline = 30 * time.Second
		plan, err := w.Plan(context.Background(), a)
		require.NoError(t, err)
		require.Contains(t, fmt.Sprint(plan.Warnings()), "the rest will expire")
		begun := time.Now()
		s := w.finished(w.start(a).ID)
		require.Equal(t, 30*time.Second, time.Since(begun).Round(time.Second))
		c := s.on(1, channels.SMS)
		require.InDelta(t, 30, c.Accepted, 1)
		require.Equal(t, 100, c.Accepted+c.Expired)
	})
}

// TestWindowIsJudgedAgainAtHandOver has a window close while the lane is busy.
func TestWindowIsJudgedAgainAtHandOver(t *testing.T) {
	bubble(t, only(Channel{Rate: 1, Burst: 1}), func(t *testing.T, w *world) {
		now := time.Now().UTC() // midnight of 1 January 2000 in the bubble
		for i := range 60 {
			p := neighbour(i, float64(i+1))
			p.Timezone = "UTC"
			if i >= 10 {
				p.Places[0].Schedule = schedule("Mo-Su " + now.Format("15:04") + "-" + now.Add(time.Minute).Format("15:04"))
			}
			require.NoError(t, w.Enrol(context.Background(), p))
		}
		pass(30 * time.Second)
		s := w.finished(w.start(missing(500)).ID)
		c := s.on(1, channels.SMS)
		require.InDelta(t, 30, c.Accepted, 1)
		require.Equal(t, 60, c.Accepted+c.Expired)
		for row, err := range w.Ledger(s.ID, Query{Outcome: "expired"}) {
			require.NoError(t, err)
			require.Equal(t, reasonWindow, row.Reason)
		}
	})
}

func TestWhoChangesMeanwhileIsAskedAgain(t *testing.T) {
	bubble(t, only(Channel{Rate: 1, Burst: 1}), func(t *testing.T, w *world) {
		ctx := context.Background()
		w.enrol(20)
		id := w.start(missing(500)).ID
		pass(5 * time.Second)
		require.NoError(t, w.Erase(ctx, "p00015", Origin{}))
		moved := neighbour(16, 90_000)
		require.NoError(t, w.Enrol(ctx, moved))
		gone := neighbour(17, 17)
		gone.Contacts = map[string]string{channels.Email: "u@example.nl"}
		require.NoError(t, w.Enrol(ctx, gone))
		changed := neighbour(18, 18)
		changed.Contacts[channels.SMS] = "+31687654321"
		require.NoError(t, w.Enrol(ctx, changed))
		s := w.finished(id)
		c := s.on(1, channels.SMS)
		require.Equal(t, 17, c.Accepted)
		require.Equal(t, 3, c.Withdrawn)
		got := w.providers[channels.SMS].to(Alert)
		require.Contains(t, got, "+31687654321")
		for _, n := range []int{15, 16, 17, 18} {
			require.NotContains(t, got, number(n))
		}
		erased := 0
		for row, err := range w.Ledger(id, Query{}) {
			require.NoError(t, err)
			if row.Participant == "" {
				erased++
			}
		}
		require.Equal(t, 1, erased)
	})
}

func TestUrgentOvertakes(t *testing.T) {
	config := only(Channel{Rate: 10, Burst: 10})
	config.Policy = DefaultPolicy()
	rule := config.Policy[Inquiry]
	rule.Channels = []string{channels.SMS}
	config.Policy[Inquiry] = rule
	bubble(t, config, func(t *testing.T, w *world) {
		w.enrol(100)
		slow := missing(500)
		slow.Kind = Inquiry
		first := w.start(slow)
		pass(2 * time.Second)
		urgent := w.start(missing(20))
		begun := time.Now()
		w.finished(urgent.ID)
		require.LessOrEqual(t, time.Since(begun), 5*time.Second)
		s, err := w.Action(first.ID)
		require.NoError(t, err)
		require.Positive(t, s.on(1, channels.SMS).Pending)
		w.finished(first.ID)
	})
}

func TestChannelWithoutSinkWaitsVisibly(t *testing.T) {
	bubble(t, Config{Channels: map[string]Channel{channels.SMS: {Rate: 1, Burst: 1}, channels.Email: {}}}, func(t *testing.T, w *world) {
		w.enrol(5)
		id := w.start(missing(500)).ID
		pass(1500 * time.Millisecond)
		w.close()
		full := w.config.Channels
		w.config.Channels = map[string]Channel{channels.Email: full[channels.Email]}
		w.open()
		s, err := w.Action(id)
		require.NoError(t, err)
		require.Equal(t, "no sink", s.on(1, channels.SMS).Waiting)
		require.Positive(t, s.on(1, channels.SMS).Pending)
		w.close()
		w.config.Channels = full
		w.open()
		require.Equal(t, 5, w.finished(id).on(1, channels.SMS).Accepted)
	})
}

func TestDrillNeverReachesARealSink(t *testing.T) {
	drills := &provider{}
	bubble(t, Config{Drill: drills}, func(t *testing.T, w *world) {
		w.enrol(10)
		a := missing(500)
		a.Drill = true
		s := w.finished(w.start(a).ID)
		_, err := w.Conclude(context.Background(), s.ID, Conclusion{Text: Text{"nl": "Einde oefening"}})
		require.NoError(t, err)
		w.finished(s.ID)
		require.Equal(t, numbers(10), drills.to(Alert))
		require.Equal(t, numbers(10), drills.to(Ending))
		for _, p := range w.providers {
			require.Empty(t, p.batches)
		}
	})
}

func TestSharedContactGetsOneMessage(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		for i := range 3 {
			p := neighbour(i, float64(i+1))
			p.Contacts = map[string]string{channels.Email: "household@example.nl"}
			p.Places[0].Channels = []string{channels.Email}
			require.NoError(t, w.Enrol(context.Background(), p))
		}
		s := w.finished(w.start(missing(500)).ID)
		require.Equal(t, 1, s.on(1, channels.Email).Accepted)
		require.Equal(t, []string{"household@example.nl"}, w.providers[channels.Email].to(Alert))
	})
}

func TestTranslations(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		for i, lang := range []string{"", "nl", "en", "fr"} {
			p := neighbour(i, float64(i+1))
			p.Language = lang
			require.NoError(t, w.Enrol(context.Background(), p))
		}
		a := missing(500)
		a.Text["en"], a.Title = "Look out for a boy of 9", Text{"nl": "Vermist", "en": "Missing"}
		w.finished(w.start(a).ID)
		got := map[string]string{}
		for _, r := range w.providers[channels.SMS].batches[0].Recipients {
			got[r.To.Reveal()] = r.Lang
		}
		require.Equal(t, map[string]string{number(0): "nl", number(1): "nl", number(2): "en", number(3): "nl"}, got)
		require.Equal(t, "Missing", w.providers[channels.SMS].batches[0].Texts["en"].Title)
	})
}
