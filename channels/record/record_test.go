package record_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/channels/record"
	"github.com/crierd/crier/channels/sinktest"
)

const recording = "a-01jd0000000000000000000000.sms.ndjson"

func open(t *testing.T, dir string, c record.Config) *record.Sink {
	t.Helper()
	sink, err := record.Open(dir, c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sink.Close()) })
	return sink
}

// rows reads a recording back; no file is no rows.
func rows(t *testing.T, dir string) (out []map[string]any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, recording))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var row map[string]any
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		out = append(out, row)
	}
	return out
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, contacts := range []bool{false, true} {
		t.Run(fmt.Sprint("contacts=", contacts), func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(t *testing.T) *sinktest.Rig {
				dir := filepath.Join(t.TempDir(), "out")
				return &sinktest.Rig{
					Sink: open(t, dir, record.Config{Contacts: contacts}),
					Received: func() (keys []string) {
						for _, row := range rows(t, dir) {
							keys = append(keys, row["key"].(string))
						}
						return keys
					},
				}
			})
		})
	}
}

func TestRow(t *testing.T) {
	t.Parallel()
	for _, contacts := range []bool{false, true} {
		dir := t.TempDir()
		b := sinktest.Batch(17, 4)
		b.Attempt, b.Drill = 2, true
		_, err := open(t, dir, record.Config{Contacts: contacts}).Send(t.Context(), b)
		require.NoError(t, err)
		want := map[string]any{
			"key": "key-17-3", "batch": b.ID, "action": b.Action, "message": 1.0, "attempt": 2.0,
			"phase": "alert", "channel": "sms", "kind": "missing", "drill": true,
			"lang": "en", "title": "Missing", "text": "Look out for a boy of 9, red coat",
			"vars": map[string]any{"town": "Assen"},
		}
		if contacts {
			want["to"] = "+3161234170003"
		}
		got := rows(t, dir)
		require.Equal(t, want, got[3])
		require.Equal(t, b.Texts["nl"].Text, got[0]["text"])
	}
}

func TestKeysAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := open(t, dir, record.Config{}).Send(t.Context(), sinktest.Batch(1, 20))
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(dir, recording))
	require.NoError(t, err)
	require.NotContains(t, string(data), "+316")
	require.NotContains(t, string(data), `"to"`)
}

func TestModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	_, err := open(t, dir, record.Config{}).Send(t.Context(), sinktest.Batch(1, 1))
	require.NoError(t, err)
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, recording): 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
}

func TestReopenAppends(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for number := range 3 {
		sink := open(t, dir, record.Config{})
		_, err := sink.Send(t.Context(), sinktest.Batch(number, 2))
		require.NoError(t, err)
		require.NoError(t, sink.Close())
		require.NoError(t, sink.Close())
		_, err = sink.Send(t.Context(), sinktest.Batch(9, 2))
		require.ErrorIs(t, err, record.ErrClosed)
	}
	require.Len(t, rows(t, dir), 6)
}

func TestTornTail(t *testing.T) {
	t.Parallel()
	for name, torn := range map[string]string{"after a line": "{\"key\":\"old\"}\n{\"ke", "alone": "{\"ke"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, recording), []byte(torn), 0o600))
			_, err := open(t, dir, record.Config{}).Send(t.Context(), sinktest.Batch(1, 2))
			require.NoError(t, err)
			require.Len(t, rows(t, dir), 2+strings.Count(torn, "\n"))
		})
	}
}

func TestNamesStayInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sink := open(t, dir, record.Config{})
	for _, name := range []string{"", "..", "../x", "a/b", "a\\b", "a\x00", ".hidden", "é"} {
		b := sinktest.Batch(1, 1)
		b.Action = name
		_, err := sink.Send(t.Context(), b)
		require.ErrorIs(t, err, record.ErrName, "%q", name)
		b = sinktest.Batch(1, 1)
		b.Channel = name
		_, err = sink.Send(t.Context(), b)
		require.ErrorIs(t, err, record.ErrName, "%q", name)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestUnwritable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := record.Open(file, record.Config{})
	require.ErrorContains(t, err, "open recording")

	dir := t.TempDir()
	sink := open(t, dir, record.Config{})
	require.NoError(t, os.Mkdir(filepath.Join(dir, recording), 0o700))
	answers, err := sink.Send(t.Context(), sinktest.Batch(1, 1))
	require.ErrorContains(t, err, "record batch")
	require.Empty(t, answers)
}

func ExampleSink() {
	dir, err := os.MkdirTemp("", "record")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sink, err := record.Open(dir, record.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	answers, err := sink.Send(context.Background(), &channels.Batch{
		ID: "a-1/1/sms/0/0", Action: "a-1", Message: 1, Attempt: 1, Phase: "alert", Channel: channels.SMS, Kind: "missing",
		Texts:      map[string]channels.Text{"nl": {Text: "Let op"}},
		Recipients: []channels.Recipient{{Key: "k1", To: "+31600000001", Lang: "nl"}},
	})
	fmt.Println(answers[0].Verdict, err, sink.Close())
	data, err := os.ReadFile(filepath.Join(dir, "a-1.sms.ndjson"))
	fmt.Print(string(data), err)
	// Output:
	// accepted <nil> <nil>
	// {"key":"k1","batch":"a-1/1/sms/0/0","action":"a-1","message":1,"attempt":1,"phase":"alert","channel":"sms","kind":"missing","drill":false,"lang":"nl","text":"Let op"}
	// <nil>
}

func BenchmarkSend(b *testing.B) {
	sink, err := record.Open(b.TempDir(), record.Config{})
	require.NoError(b, err)
	batch := sinktest.Batch(1, 500)
	for b.Loop() {
		_, err := sink.Send(b.Context(), batch)
		require.NoError(b, err)
	}
}
