package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crierd/crier/internal/daemon"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// crier runs a command and gives its exit status and what it wrote.
func crier(t *testing.T, args ...string) (status int, out, log string) {
	t.Helper()
	var o, l bytes.Buffer
	status = run(context.Background(), args, &terminal{out: &o, log: &l})
	return status, o.String(), l.String()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--help"}, 0, "demo"},
		{[]string{"version"}, 0, "crier "},
		{[]string{"fly"}, 2, "fly"},
		{[]string{"generate", "--participants", "many"}, 2, "--participants"},
		{[]string{"generate", "--participants=-1"}, 1, "--participants"},
		{[]string{"import", "--data", "x", "nowhere.ndjson"}, 1, "nowhere.ndjson"},
		{[]string{"preview", "--circle", "1,2"}, 1, "--circle"},
		{[]string{"status", "a-1", "--server", "http://127.0.0.1:1"}, 1, "127.0.0.1:1"},
		{[]string{"audit", "verify", "--data", os.TempDir()}, 1, "not a crier store"},
	} {
		status, out, log := crier(t, c.args...)
		require.Equal(t, c.status, status, "%v: %s%s", c.args, out, log)
		require.Contains(t, out+log, c.says, "%v", c.args)
	}
}

func TestGenerateImportExport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	for _, end := range []string{".ndjson", ".ndjson.gz", ".ndjson.zst"} {
		file := filepath.Join(dir, "people"+end)
		status, _, log := crier(t, "generate", "--participants", "500", "-o", file)
		require.Zero(t, status, log)
		stat, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), stat.Mode().Perm())
		status, out, log := crier(t, "import", "--data", data, file)
		require.Zero(t, status, log)
		require.Contains(t, out, "500 read")
	}
	status, out, _ := crier(t, "import", "--data", data, "--json", filepath.Join(dir, "people.ndjson"))
	require.Zero(t, status)
	require.Contains(t, out, `"unchanged": 500`)
	status, out, _ = crier(t, "export", "--data", data)
	require.Zero(t, status)
	made, err := os.ReadFile(filepath.Join(dir, "people.ndjson"))
	require.NoError(t, err)
	require.Equal(t, string(made), out, "what goes in comes out")
	status, out, _ = crier(t, "audit", "verify", "--data", data)
	require.Zero(t, status)
	require.Contains(t, out, "1 records, whole")
}

// TestToken makes a token that may only look, and tries it.
func TestToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	status, _, log := crier(t, "token", "desk", "--scopes", "observe,fly", "--data", data)
	require.Equal(t, 1, status)
	require.Contains(t, log, `"fly" is not a scope`)
	status, secret, log := crier(t, "token", "desk", "--scopes", "observe", "--data", data)
	require.Zero(t, status, log)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- daemon.Serve(ctx, daemon.Config{Data: data, Out: filepath.Join(dir, "out"), Ready: func(token string) { ready <- token }}, listener)
	}()
	defer func() {
		cancel()
		require.NoError(t, <-ended)
	}()
	require.Empty(t, <-ready, "there is a token already")
	at := []string{"--server", "http://" + listener.Addr().String(), "--token", strings.TrimSpace(secret)}
	status, _, log = crier(t, append([]string{"status", "a-none"}, at...)...)
	require.Equal(t, 1, status)
	require.Contains(t, log, "404")
	status, _, log = crier(t, append([]string{"start", "--circle", "52,5,100", "--text", "x"}, at...)...)
	require.Equal(t, 1, status)
	require.Contains(t, log, `403 Forbidden: the token lacks the scope "dispatch"`)
}

// TestActionOnADaemon goes through an action by the command line.
func TestActionOnADaemon(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	dir := t.TempDir()
	go func() {
		ended <- daemon.Serve(ctx, daemon.Config{
			Data: filepath.Join(dir, "data"), Out: filepath.Join(dir, "out"), Ready: func(token string) { ready <- token },
		}, listener)
	}()
	defer func() {
		cancel()
		require.NoError(t, <-ended)
	}()
	at := []string{"--server", "http://" + listener.Addr().String(), "--token", <-ready}
	do := func(args ...string) string {
		t.Helper()
		status, out, log := crier(t, append(args, at...)...)
		require.Zero(t, status, "%v: %s", args, log)
		return out
	}
	file := filepath.Join(dir, "people.ndjson.zst")
	status, _, _ := crier(t, "generate", "--participants", "2000", "-o", file)
	require.Zero(t, status)
	require.Contains(t, do("import", file), "2000 created")
	require.Len(t, strings.Split(strings.TrimSpace(do("export")), "\n"), 2000)
	area := []string{"--circle", "52.3731,4.8926,20000", "--text", "Uitkijken naar jongen van 9"}
	require.Contains(t, do(append([]string{"preview"}, area...)...), `"recipients":`)
	out := do(append([]string{"start"}, area...)...)
	_, id, _ := strings.Cut(out, `"id": "`)
	id, _, _ = strings.Cut(id, `"`)
	require.Len(t, id, 28)
	require.Contains(t, do("status", id), `"status": "running"`)
	require.Contains(t, do("close", id, "Gevonden", "--result", "found"), `"result": "found"`)
	do("missed", id)
	status, _, log := crier(t, append([]string{"close", id, "Nog eens"}, at...)...)
	require.Equal(t, 1, status)
	require.Contains(t, log, "409")
}

// TestDemo tells the whole story on few people.
func TestDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Log("DID NOT RUN: the demo takes some twenty seconds, and -short was asked for")
		return
	}
	status, out, log := crier(t, "demo", "--participants", "8000", "--dir", filepath.Join(t.TempDir(), "demo"))
	require.Zero(t, status, log)
	for _, want := range []string{"preview:", "started a-", "paused:", "resumed", "closed:", "got the closing", ".ndjson"} {
		require.Contains(t, out, want)
	}
}
