package channels_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
)

func TestVerdict(t *testing.T) {
	t.Parallel()
	for verdict, word := range map[channels.Verdict]string{
		channels.Accepted: "accepted", channels.Rejected: "rejected", channels.Retry: "retry",
		0: "Verdict(0)", 9: "Verdict(9)",
	} {
		require.Equal(t, word, verdict.String())
	}
	var zero channels.Answer
	require.NotEqual(t, channels.Accepted, zero.Verdict)
}

func TestThrottledError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  channels.ThrottledError
		want string
	}{
		{channels.ThrottledError{}, "channels: throttled"},
		{channels.ThrottledError{After: 2 * time.Second}, "channels: throttled for 2s"},
		{channels.ThrottledError{After: -1, Err: io.EOF}, "channels: throttled: EOF"},
		{channels.ThrottledError{After: time.Minute, Err: io.EOF}, "channels: throttled for 1m0s: EOF"},
	} {
		require.EqualError(t, &c.err, c.want)
	}
	wrapped := fmt.Errorf("send: %w", &channels.ThrottledError{Err: io.EOF})
	var throttled *channels.ThrottledError
	require.ErrorAs(t, wrapped, &throttled)
	require.ErrorIs(t, wrapped, io.EOF)
}

func ExampleSinkFunc() {
	var sink channels.Sink = channels.SinkFunc(func(_ context.Context, b *channels.Batch) ([]channels.Answer, error) {
		answers := make([]channels.Answer, len(b.Recipients))
		for i := range answers {
			answers[i] = channels.Answer{Verdict: channels.Accepted, Ref: fmt.Sprint(100 + i)}
		}
		return answers, nil
	})
	answers, err := sink.Send(context.Background(), &channels.Batch{
		Texts:      map[string]channels.Text{"nl": {Text: "Uitkijken naar jongen van 9, rode jas"}},
		Recipients: []channels.Recipient{{Key: "k1", To: "+31600000001", Lang: "nl"}},
	})
	fmt.Println(answers[0].Verdict, answers[0].Ref, err)
	// Output: accepted 100 <nil>
}

func ExampleContact() {
	r := channels.Recipient{Key: "k1", To: "+31600000001", Lang: "nl"}
	fmt.Println(r.To)
	fmt.Println("dial", r.To.Reveal())
	// Output:
	// [contact]
	// dial +31600000001
}

func ExampleThrottledError() {
	err := fmt.Errorf("send: %w", &channels.ThrottledError{After: 3 * time.Second})
	var throttled *channels.ThrottledError
	if errors.As(err, &throttled) {
		fmt.Println("pause the sink for", throttled.After)
	}
	// Output: pause the sink for 3s
}
