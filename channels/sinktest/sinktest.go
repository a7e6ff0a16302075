// Package sinktest is the suite that every sink passes, crier's own and others'.
//
// A sink's test gives [Run] a function that opens a fresh sink in front of a
// provider it controls, and says in a [Rig] what that provider can be made to
// do. What a rig leaves nil is skipped by name, so that the test's output shows
// what was not checked.
package sinktest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
)

// Rig is a sink with a provider behind it that a test controls. Sink is
// required; every func may be nil when the provider cannot be made to do that.
// The funcs are called from one goroutine at a time, never during a Send, except
// Received and Output, which are called after all Sends have returned.
type Rig struct {
	Sink channels.Sink

	// Received returns the keys that the provider got, in order of arrival.
	Received func() []string
	// Judge has the provider answer each key with the stated verdict, and
	// accept keys that are not in the map.
	Judge func(map[string]channels.Verdict)
	// Throttle has the provider ask for this pause until Heal is called.
	Throttle func(after time.Duration)
	// Fail has the provider refuse every batch as a whole until Heal is called,
	// if it can with an answer that repeats what it was sent.
	Fail func()
	// Stall has the provider not answer at all until Heal is called.
	Stall func()
	// Heal ends Throttle, Fail and Stall; required with any of them.
	Heal func()
	// Output returns everything that the sink logged.
	Output func() string
}

// Run runs the whole suite. open is called once for each part of it and
// registers its own clean-up.
func Run(t *testing.T, open func(t *testing.T) *Rig) {
	t.Helper()
	for _, part := range []struct {
		name string
		test func(*testing.T, *Rig)
	}{
		{"Answers", answers}, {"Empty", empty}, {"Invalid", invalid}, {"Judged", judged},
		{"Cancelled", cancelled}, {"Deadline", deadline}, {"Throttled", throttled},
		{"Failed", failed}, {"Concurrent", concurrent}, {"Quiet", quiet},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, open(t))
		})
	}
}

// secret begins every contact of the suite: nothing a sink says may contain it.
const secret = "+3161234"

// Batch returns a valid batch of n recipients with keys and contacts of their
// own, in two languages. Batches of different numbers share no key.
func Batch(number, n int) *channels.Batch {
	b := &channels.Batch{
		ID:     fmt.Sprintf("a-01jd0000000000000000000000/1/sms/0/%d", number),
		Action: "a-01jd0000000000000000000000", Message: 1, Attempt: 1,
		Phase: "alert", Channel: channels.SMS, Kind: "missing",
		Texts: map[string]channels.Text{
			"nl": {Title: "Vermist", Text: "Uitkijken naar jongen van 9, rode jas <&> \"é\""},
			"en": {Title: "Missing", Text: "Look out for a boy of 9, red coat"},
		},
		Expires: time.Date(2126, 11, 23, 16, 30, 0, 0, time.UTC),
	}
	for i := range n {
		r := channels.Recipient{Key: fmt.Sprintf("key-%d-%d", number, i), To: channels.Contact(fmt.Sprintf("%s%02d%04d", secret, number, i)), Lang: "nl"}
		if i%7 == 3 {
			r.Lang, r.Vars = "en", map[string]string{"town": "Assen"}
		}
		b.Recipients = append(b.Recipients, r)
	}
	return b
}

// keys lists the batch's keys in order.
func keys(b *channels.Batch) []string {
	out := make([]string, 0, len(b.Recipients))
	for i := range b.Recipients {
		out = append(out, b.Recipients[i].Key)
	}
	return out
}

// size is how many recipients the sink is given at once.
func size(sink channels.Sink) int {
	if b, ok := sink.(channels.Bounded); ok && b.MaxBatch() > 0 {
		return min(b.MaxBatch(), 500)
	}
	return 500
}

// accepted asserts one acceptance for each recipient.
func accepted(t *testing.T, b *channels.Batch, got []channels.Answer, err error) {
	t.Helper()
	require.NoError(t, err)
	require.Len(t, got, len(b.Recipients))
	for i := range got {
		require.Equal(t, channels.Accepted, got[i].Verdict, "recipient %d", i)
	}
}

// discreet asserts that neither an error nor the log repeats a contact.
func discreet(t *testing.T, rig *Rig, err error) {
	t.Helper()
	if err != nil {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			require.NotContains(t, fmt.Sprintf(verb, err), secret)
		}
	}
	if rig.Output != nil {
		require.NotContains(t, rig.Output(), secret)
	}
}

func answers(t *testing.T, rig *Rig) {
	var all []string
	for number, n := range []int{1, 2, 17, size(rig.Sink)} {
		n = min(n, size(rig.Sink))
		b := Batch(number, n)
		got, err := rig.Sink.Send(t.Context(), b)
		accepted(t, b, got, err)
		require.Equal(t, Batch(number, n), b, "a sink does not change what it is given")
		all = append(all, keys(b)...)
	}
	if rig.Received != nil {
		require.Equal(t, all, rig.Received())
	}
}

func empty(t *testing.T, rig *Rig) {
	got, err := rig.Sink.Send(t.Context(), Batch(1, 0))
	require.NoError(t, err)
	require.Empty(t, got)
	if rig.Received != nil {
		require.Empty(t, rig.Received())
	}
}

func invalid(t *testing.T, rig *Rig) {
	twice := Batch(1, 2)
	twice.Recipients[1].Key = twice.Recipients[0].Key
	nameless := Batch(2, 2)
	nameless.Recipients[1].Key = ""
	speechless := Batch(3, 2)
	speechless.Recipients[1].Lang = "fy"
	for b, want := range map[*channels.Batch]error{
		twice: channels.ErrKey, nameless: channels.ErrKey, speechless: channels.ErrLanguage,
	} {
		got, err := rig.Sink.Send(t.Context(), b)
		require.ErrorIs(t, err, want)
		require.Empty(t, got)
		discreet(t, rig, err)
	}
	if rig.Received != nil {
		require.Empty(t, rig.Received(), "nothing of a refused batch leaves")
	}
}

func judged(t *testing.T, rig *Rig) {
	if rig.Judge == nil {
		t.Skip("the provider only accepts")
	}
	b := Batch(1, min(size(rig.Sink), 50))
	verdicts := map[string]channels.Verdict{}
	for i, key := range keys(b) {
		verdicts[key] = []channels.Verdict{channels.Accepted, channels.Rejected, channels.Retry}[i%3]
	}
	rig.Judge(maps.Clone(verdicts))
	got, err := rig.Sink.Send(t.Context(), b)
	require.NoError(t, err)
	require.Len(t, got, len(b.Recipients))
	for i, key := range keys(b) {
		require.Equal(t, verdicts[key], got[i].Verdict, "recipient %d", i)
		require.NotContains(t, got[i].Reason, secret)
	}
	discreet(t, rig, nil)
}

func cancelled(t *testing.T, rig *Rig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := rig.Sink.Send(ctx, Batch(1, 3))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, got)
	discreet(t, rig, err)
	if rig.Received != nil {
		require.Empty(t, rig.Received())
	}
}

func deadline(t *testing.T, rig *Rig) {
	past, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err := rig.Sink.Send(past, Batch(1, 3))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	discreet(t, rig, err)
	if rig.Stall == nil {
		t.Skip("the provider cannot stall: only a deadline in the past was tried")
	}
	rig.Stall()
	t.Cleanup(rig.Heal)
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	got, err := rig.Sink.Send(soon, Batch(2, 3))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, got)
	discreet(t, rig, err)
}

func throttled(t *testing.T, rig *Rig) {
	if rig.Throttle == nil {
		t.Skip("the provider never throttles")
	}
	b := Batch(1, 3)
	rig.Throttle(7 * time.Second)
	for range 2 {
		got, err := rig.Sink.Send(t.Context(), b)
		var throttle *channels.ThrottledError
		require.ErrorAs(t, err, &throttle)
		require.InDelta(t, 7, throttle.After.Seconds(), 2)
		require.Empty(t, got)
		discreet(t, rig, err)
	}
	rig.Heal()
	b.Attempt = 3
	got, err := rig.Sink.Send(t.Context(), b)
	accepted(t, b, got, err)
}

func failed(t *testing.T, rig *Rig) {
	if rig.Fail == nil {
		t.Skip("the provider never fails")
	}
	b := Batch(1, 3)
	rig.Fail()
	got, err := rig.Sink.Send(t.Context(), b)
	require.Error(t, err)
	require.Empty(t, got)
	var throttle *channels.ThrottledError
	require.NotErrorAs(t, err, &throttle)
	discreet(t, rig, err)
	rig.Heal()
	b.Attempt = 2
	got, err = rig.Sink.Send(t.Context(), b)
	accepted(t, b, got, err)
}

func concurrent(t *testing.T, rig *Rig) {
	const senders, each = 8, 6
	n := min(size(rig.Sink), 20)
	var wg sync.WaitGroup
	errs := make([]error, senders)
	for s := range senders {
		wg.Go(func() {
			for k := range each {
				got, err := rig.Sink.Send(t.Context(), Batch(s*each+k, n))
				if err == nil && len(got) != n {
					err = fmt.Errorf("%d answers to %d recipients", len(got), n)
				}
				errs[s] = err
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	var want []string
	for s := range senders {
		require.NoError(t, errs[s])
		for k := range each {
			want = append(want, keys(Batch(s*each+k, n))...)
		}
	}
	if rig.Received == nil {
		return
	}
	got := rig.Received()
	for chunk := range slices.Chunk(got, n) {
		require.True(t, slices.IsSortedFunc(chunk, byRank), "a batch arrives whole and in order")
	}
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(t, want, got)
}

// byRank orders keys of one batch as they were given.
func byRank(a, b string) int {
	var batch, x, y int
	_, _ = fmt.Sscanf(a, "key-%d-%d", &batch, &x)
	_, _ = fmt.Sscanf(b, "key-%d-%d", &batch, &y)
	return x - y
}

// quiet sends to contacts with a format verb and a control character in them:
// the careless spots of a log line.
func quiet(t *testing.T, rig *Rig) {
	b := Batch(1, 2)
	b.Recipients[0].To += "%s\n%d"
	_, err := rig.Sink.Send(t.Context(), b)
	discreet(t, rig, err)
}
