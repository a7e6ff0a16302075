package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "crier.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestReadConfig(t *testing.T) {
	t.Setenv("CRIER_BATCH", "77")
	t.Setenv("CRIER_DATA", "/elsewhere")
	c, err := ReadConfig(write(t, `
listen: 127.0.0.1:7701
data: ./here
batch: 5
sinks:
  sms: {type: record, dir: ./out, rate: {per_second: 200, burst: 50}, workers: 4}
`))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:7701", c.Listen)
	require.Equal(t, "/elsewhere", c.Data, "the environment goes before the file")
	require.Equal(t, 77, c.Batch)
	require.Equal(t, Sink{Type: "record", Dir: "./out", Rate: Rate{200, 50}, Workers: 4}, c.Sinks["sms"])
	t.Setenv("CRIER_BATCH", "many")
	_, err = ReadConfig("")
	require.ErrorContains(t, err, "CRIER_BATCH")
}

// TestConfigRefuses names the line or the key.
func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	_, err := ReadConfig(write(t, "listen: x\nlisten_on: y\n"))
	require.ErrorContains(t, err, "[2:1]")
	require.ErrorContains(t, err, "listen_on")
	_, err = ReadConfig("nowhere.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
	for says, c := range map[string]Config{
		"sinks.sms: type":            {Sinks: map[string]Sink{"sms": {Type: "pigeon"}}},
		"sinks.email: secret_file":   {Sinks: map[string]Sink{"email": {Type: "webhook", URL: "http://127.0.0.1:1"}}},
		"deadline is not a duration": {Deadline: "soon"},
	} {
		c.Out = t.TempDir()
		_, err := c.withDefaults().engineConfig()
		require.ErrorContains(t, err, says)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\nsinks: {sms: {type: record}}\n")
	f.Add("a: [b\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseConfig("crier.yaml", []byte(text)); err != nil {
			require.ErrorContains(t, err, "crier.yaml", "an error says which file")
		}
	})
}
