package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/channels/sinktest"
)

// given sends a batch of n recipients, key-1-0 and on, to a service that gives
// this answer.
func given(t *testing.T, n int, answer string) ([]channels.Answer, string, error) {
	t.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(service.Close)
	var log bytes.Buffer
	sink, err := New(Config{URL: service.URL, Secret: "whsec_" + strings.Repeat("AAAA", 8), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	answers, err := sink.Send(t.Context(), sinktest.Batch(1, n))
	return answers, log.String(), err
}

func TestMatch(t *testing.T) {
	t.Parallel()
	ok := channels.Answer{Verdict: channels.Accepted}
	again := func(reason string) channels.Answer {
		return channels.Answer{Verdict: channels.Retry, Reason: reason}
	}
	for name, c := range map[string]struct {
		answer string
		want   []channels.Answer
		log    string
	}{
		"nothing":      {"", []channels.Answer{ok, ok}, ""},
		"blank":        {" \r\n", []channels.Answer{ok, ok}, ""},
		"other order":  {`{"results":[{"key":"key-1-1","outcome":"rejected","reason":"blocked"},{"key":"key-1-0","outcome":"accepted","ref":"7"}]}`, []channels.Answer{{Verdict: channels.Accepted, Ref: "7"}, {Verdict: channels.Rejected, Reason: "blocked"}}, ""},
		"unknown name": {`{"results":[{"key":"key-1-0","outcome":"accepted","parts":2},{"key":"key-1-1","outcome":"accepted"}],"took":"3ms"}`, []channels.Answer{ok, ok}, ""},
		"too few":      {`{"results":[{"key":"key-1-1","outcome":"accepted"}]}`, []channels.Answer{again(reasonMissing), ok}, "missing=1 foreign=0"},
		"none":         {`{"results":[]}`, []channels.Answer{again(reasonMissing), again(reasonMissing)}, "missing=2"},
		"foreign":      {`{"results":[{"key":"key-1-0","outcome":"accepted"},{"key":"key-1-1","outcome":"accepted"},{"key":"+3161234010000","outcome":"accepted"}]}`, []channels.Answer{ok, ok}, "foreign=1"},
		"same twice":   {`{"results":[{"key":"key-1-0","outcome":"accepted"},{"key":"key-1-0","outcome":"accepted"},{"key":"key-1-1","outcome":"accepted"}]}`, []channels.Answer{ok, ok}, ""},
		"contradicted": {`{"results":[{"key":"key-1-0","outcome":"accepted"},{"key":"key-1-0","outcome":"rejected"},{"key":"key-1-1","outcome":"accepted"}]}`, []channels.Answer{again(reasonContradicted), ok}, "contradicted=1"},
		"new word":     {`{"results":[{"key":"key-1-0","outcome":"ok"},{"key":"key-1-1"}]}`, []channels.Answer{again(reasonUnknown), again(reasonUnknown)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers, log, err := given(t, 2, c.answer)
			require.NoError(t, err)
			require.Equal(t, c.want, answers)
			require.Contains(t, log, c.log)
			require.Equal(t, c.log == "", log == "", log)
			require.NotContains(t, log, "+316")
		})
	}
}

func TestNotUnderstood(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"OK", "{", "null", "[]", `"x"`, "{}", `{"results":null}`, `{"results":{}}`, `{"results":[1]}`,
		`{"results":[]}{}`, `{"results":[],"results":[]}`, `{"results":[{"key":"a","key":"b"}]}`,
		"{\"results\":[{\"key\":\"\xff\"}]}", `{"Results":[]}`, "<html>+3161234010000</html>",
	} {
		answers, log, err := given(t, 1, answer)
		require.ErrorIs(t, err, ErrAnswer, answer)
		require.Empty(t, answers)
		require.NotContains(t, err.Error(), "+316")
		require.Empty(t, log)
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"":                            "",
		"blocked":                     "blocked",
		"smpp 0x0000000B":             reasonWithheld,
		"code 3021":                   "code 3021",
		"no route to +31612345678":    reasonWithheld,
		"31 6 12 34 56 78":            reasonWithheld,
		"unknown a@example.nl":        reasonWithheld,
		"token abcdef refused":        reasonWithheld,
		"a\nb\x00c":                   "abc",
		strings.Repeat("é", 40):       strings.Repeat("é", 32),
		"x" + strings.Repeat("é", 40): "x" + strings.Repeat("é", 31),
	} {
		require.Equal(t, want, reason(said, "abcdef"), said)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", " ", "{}", `{"results":[]}`, `{"results":[{"key":"key-1-0","outcome":"accepted","ref":"1"}]}`, `{"results":[{"key":"key-1-1","outcome":"retry","reason":"+3161234010001"}],"x":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		results, all, err := decode(body)
		sink := &Sink{config: (&Config{}).withDefaults()}
		b := sinktest.Batch(1, 3)
		answers, matchErr := sink.match(b, body)
		require.Equal(t, err, matchErr)
		if err != nil {
			require.True(t, errors.Is(err, ErrAnswer))
			require.Empty(t, answers)
			return
		}
		require.Len(t, answers, 3)
		for i := range answers {
			require.Contains(t, []channels.Verdict{channels.Accepted, channels.Rejected, channels.Retry}, answers[i].Verdict)
			require.NotContains(t, answers[i].Reason, b.Recipients[i].To.Reveal()[1:])
			require.LessOrEqual(t, len(answers[i].Reason), maxReason)
			require.True(t, utf8.ValidString(answers[i].Ref))
		}
		if all {
			return
		}
		again, err := json.Marshal(map[string]any{"results": encoded(results)})
		require.NoError(t, err)
		back, _, err := decode(again)
		require.NoError(t, err)
		require.Equal(t, len(results), len(back))
		for i := range back {
			require.Equal(t, results[i], back[i])
		}
	})
}

func encoded(results []result) []map[string]string {
	out := make([]map[string]string, 0, len(results))
	for _, r := range results {
		out = append(out, map[string]string{"key": r.Key, "outcome": r.Outcome, "ref": r.Ref, "reason": r.Reason})
	}
	return out
}
