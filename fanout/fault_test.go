package fanout

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
)

func notef(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// telling is an outside that writes down, in a file that outlives its process,
// what it took and what it was told.
type telling struct {
	outside
	out *json.Encoder
}

// line of that file.
type told struct {
	Batch     *channels.Batch `json:",omitempty"`
	To        []string        `json:",omitempty"`
	Enrolled  int             `json:",omitempty"`
	Started   string          `json:",omitempty"`
	Concluded bool            `json:",omitempty"`
}

func (o *telling) Send(_ context.Context, b *channels.Batch) ([]channels.Answer, error) {
	line := told{Batch: b}
	for _, r := range b.Recipients {
		line.To = append(line.To, r.To.Reveal())
	}
	o.mu.Lock()
	o.handed++
	err := o.out.Encode(line)
	o.mu.Unlock()
	return accept(b), err
}

// faultyAction is the child process: one whole action on a disk whose n-th write
// fails. It says on its output whether that write came.
func faultyAction() {
	n, _ := strconv.Atoi(os.Getenv("CRIER_TEST_FAULT"))
	if err := os.Chdir(os.Getenv("CRIER_TEST_DIR")); err != nil {
		panic(err)
	}
	f, err := os.Create("told")
	if err != nil {
		panic(err)
	}
	var writes atomic.Int64
	fs := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && writes.Add(1) == int64(n) {
			_, _ = os.Stdout.WriteString("fired\n")
			return errorfs.ErrInjected
		}
		return nil
	}))
	o := &telling{out: json.NewEncoder(f)}
	o.sink = o
	o.acknowledged = func() { _ = o.out.Encode(told{Enrolled: o.enrolled, Started: o.started, Concluded: o.concluded}) }
	err = o.story(fs)
	_ = f.Close()
	if err != nil {
		os.Exit(1)
	}
}

// readTold makes an outside of what a child wrote down.
func readTold(t *testing.T, path string) *outside {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	o := &outside{}
	for scan := bufio.NewScanner(f); scan.Scan(); {
		var line told
		require.NoError(t, json.Unmarshal(scan.Bytes(), &line))
		o.enrolled = max(o.enrolled, line.Enrolled)
		o.concluded = o.concluded || line.Concluded
		if line.Started != "" {
			o.started = line.Started
		}
		if line.Batch != nil {
			for i, to := range line.To {
				line.Batch.Recipients[i].To = channels.Contact(to)
			}
			o.note(line.Batch)
		}
	}
	return o
}

// TestEveryWriteFails runs one whole action again and again, in a process of its
// own, with the first, the second, the third … write of the disk failing, and
// goes on from what is left. Pebble may end the process: that is a clean exit.
func TestEveryWriteFails(t *testing.T) {
	t.Parallel()
	step := 1
	if testing.Short() {
		step = 25
	}
	var group sync.WaitGroup
	var next, fired atomic.Int64
	next.Store(1 - int64(step))
	for range 2 {
		group.Go(func() {
			for failWrite(t, int(next.Add(int64(step)))) {
				fired.Add(1)
			}
		})
	}
	group.Wait()
	t.Logf("%d writes failed, each in a process of its own", fired.Load())
	require.Greater(t, fired.Load(), int64(50/step))
}

// failWrite runs one child, and says whether its write came.
func failWrite(t *testing.T, n int) bool {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // it takes a fraction of a second
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), "CRIER_TEST_FAULT="+strconv.Itoa(n), "CRIER_TEST_DIR="+dir)
	out, err := child.Output()
	if string(out) != "fired\n" {
		require.NoError(t, err, "nothing failed, and still it did not end well")
		return false
	}
	o := readTold(t, filepath.Join(dir, "told"))
	o.dir = filepath.Join(dir, "data")
	o.recover(t, vfs.Default, notef("write %d", n))
	return true
}
