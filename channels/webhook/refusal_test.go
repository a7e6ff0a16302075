package webhook_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/channels/sinktest"
	"github.com/crierd/crier/channels/webhook"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 16, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		code   int
		header string
		want   time.Duration
	}{
		{429, "7", 7 * time.Second},
		{503, "120", 2 * time.Minute},
		{503, now.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second},
		{429, now.Add(-time.Hour).Format(http.TimeFormat), time.Second},
		{429, now.Add(48 * time.Hour).Format(http.TimeFormat), time.Hour},
		{429, "", time.Second},
		{503, "", time.Second},
		{429, "0", time.Second},
		{429, "-5", time.Second},
		{429, "soon", time.Second},
		{429, "1.5", time.Second},
		{429, "18446744073709551615", time.Hour},
		{429, "99999999999999999999999", time.Second},
	} {
		t.Run(fmt.Sprint(c.code, c.header), func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.answers(c.code, c.header, `{"results":[{"key":"key-1-0","outcome":"accepted"}]}`)
			_, err := s.sink(webhook.Config{Now: func() time.Time { return now }}).Send(t.Context(), sinktest.Batch(1, 1))
			var throttled *channels.ThrottledError
			require.ErrorAs(t, err, &throttled)
			require.Equal(t, c.want, throttled.After)
			var status *webhook.StatusError
			require.ErrorAs(t, err, &status)
			require.Equal(t, c.code, status.Code)
		})
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, code := range []int{300, 304, 400, 401, 403, 404, 409, 410, 413, 422, 500, 502, 504, 599} {
		s := start(t)
		s.answers(code, "5", "")
		answers, err := s.sink(webhook.Config{}).Send(t.Context(), sinktest.Batch(1, 1))
		var status *webhook.StatusError
		require.ErrorAs(t, err, &status)
		require.Equal(t, code, status.Code)
		require.Empty(t, answers)
		var throttled *channels.ThrottledError
		require.NotErrorAs(t, err, &throttled)
	}
}

func ExampleStatusError() {
	fmt.Println(&webhook.StatusError{Code: http.StatusGone})
	// Output: webhook: answered 410 Gone
}
