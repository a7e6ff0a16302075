package store

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// hold is the other process of TestSecondProcessIsTold: it opens a store and
// keeps it until its input ends.
func hold(dir string) {
	s, err := Open(dir, &Config{Key: testKey})
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString("open\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = s.Close()
}

func TestSecondProcessIsTold(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "CRIER_TEST_HOLD="+dir)
	in, err := other.StdinPipe()
	require.NoError(t, err)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	word, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "open\n", word)

	_, err = Open(dir, &Config{Key: testKey})
	require.ErrorIs(t, err, ErrHeld)
	require.ErrorContains(t, err, fmt.Sprintf("process %d", other.Process.Pid))

	require.NoError(t, in.Close())
	require.NoError(t, other.Wait())
	s, err := Open(dir, &Config{Key: testKey})
	require.NoError(t, err)
	_, err = Open(dir, &Config{Key: testKey})
	require.ErrorIs(t, err, ErrHeld, "in the same process too")
	require.NoError(t, s.Close())
}

func TestDirectoryThatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		err        error
		says       string
	}{
		"foreign":       {"thesis.tex", "years of work", ErrForeign, "thesis.tex"},
		"being made":    {markFile, markMaking, ErrTorn, "remove it"},
		"later version": {markFile, "crier store 2\n", nil, `says "crier store 2\n"`},
		"manifest gone": {markFile, markWhole, nil, "nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600))
			_, err := Open(dir, &Config{Key: testKey})
			require.ErrorContains(t, err, c.says)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
			}
			text, err := os.ReadFile(filepath.Join(dir, c.file))
			require.NoError(t, err)
			require.Equal(t, c.text, string(text))
		})
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s, err := Open(dir, nil)
	require.NoError(t, err)
	put(t, s, &Participant{ID: "a", Contacts: map[string]string{"sms": "+31612345678"}, Places: []Place{{Postcode: "1012", Channels: []string{"sms"}, Schedule: mustSchedule("always")}}})
	require.NoError(t, s.Close())
	stat, err := os.Stat(dir + ".key")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), stat.Mode().Perm())

	_, err = Open(dir, &Config{Key: testKey})
	require.ErrorIs(t, err, errOuterKey)
	_, err = Open(dir, &Config{Key: []byte("short")})
	require.ErrorContains(t, err, "5 bytes, not 32")
	s, err = Open(dir, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(dir+".key", []byte("zz"), 0o600))
	_, err = Open(dir, nil)
	require.ErrorContains(t, err, "hexadecimal")
	require.NoError(t, os.Remove(dir+".key"))
	_, err = Open(dir, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestContactsAreNotOnDisk looks through every byte of the files.
func TestContactsAreNotOnDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s, err := Open(dir, nil)
	require.NoError(t, err)
	const number = "+31698765432"
	p := &Participant{ID: "somebody", Contacts: map[string]string{"sms": number}, Places: []Place{{Postcode: "1012", Channels: []string{"sms"}, Schedule: mustSchedule("always")}}}
	put(t, s, p)
	require.NoError(t, s.Close())
	found := false
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		require.NotContains(t, string(text), number)
		found = found || len(text) > 100
		return err
	}))
	require.True(t, found)
}

func TestTornStoreIsRefused(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, err := Open("data", &Config{FS: fs, Key: testKey})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	names, err := fs.List("data")
	require.NoError(t, err)
	for _, name := range names {
		if len(name) > 8 && name[:8] == "MANIFEST" {
			f, err := fs.Create("data/"+name, vfs.WriteCategoryUnspecified)
			require.NoError(t, err)
			_, err = f.Write([]byte("half a manif"))
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
	}
	_, err = Open("data", &Config{FS: fs, Key: testKey})
	require.ErrorContains(t, err, "restore a backup")
}
