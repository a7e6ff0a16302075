package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A store's directory says what it is in the file CRIER, and who has it open in
// the file HOLDER. A directory with anything in it and no CRIER is somebody
// else's; one whose CRIER says "being made" was never whole, and nothing in it
// was ever acknowledged.
const (
	markFile   = "CRIER"
	holderFile = "HOLDER"
	markWhole  = "crier store 1\n"
	markMaking = "crier store 1, being made\n"
)

// What is refused at Open. Nothing is changed then.
var (
	ErrForeign = errors.New("store: directory holds something that is not a crier store: give an empty or a new one")
	ErrTorn    = errors.New("store: directory was left while it was being made, and holds nothing: remove it")
	ErrHeld    = errors.New("store: directory is open in another process")
)

// directory is a locked directory.
type directory struct {
	fs    vfs.FS
	path  string
	lock  *pebble.Lock
	fresh bool // nothing was in it
}

// lockDirectory takes a directory, which is made if it is not there, and says
// what it is. No file of a foreign one is touched.
func lockDirectory(fs vfs.FS, path string) (*directory, error) {
	d := &directory{fs: fs, path: path}
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := fs.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("store: make directory: %w", err)
	}
	lock, err := pebble.LockDirectory(path, fs)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrHeld, d.holder())
	}
	d.lock = lock
	if err := d.check(); err != nil { // another process may have been first
		return nil, errors.Join(err, lock.Close())
	}
	if err := d.hold(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

// check reads the mark.
func (d *directory) check() error {
	mark, err := readFile(d.fs, d.fs.PathJoin(d.path, markFile))
	switch {
	case err == nil && string(mark) == markWhole:
		return nil
	case err == nil && string(mark) == markMaking:
		return ErrTorn
	case err == nil:
		return fmt.Errorf("store: %s says %q: made by another version of crier", markFile, mark[:min(len(mark), 40)])
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("store: read %s: %w", markFile, err)
	}
	names, err := d.fs.List(d.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("store: read directory: %w", err)
	}
	for _, name := range names {
		if !slices.Contains([]string{"LOCK", holderFile, holderFile + ".new", markFile + ".new"}, name) {
			return fmt.Errorf("%w (%s)", ErrForeign, name)
		}
	}
	d.fresh = true
	return nil
}

// mark says in the directory how far it is.
func (d *directory) mark(text string) error {
	if err := writeFile(d.fs, d.fs.PathJoin(d.path, markFile), []byte(text)); err != nil {
		return fmt.Errorf("store: mark directory: %w", err)
	}
	return nil
}

// holderRecord is the content of HOLDER.
type holderRecord struct {
	Process int       `json:"process"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
}

func (d *directory) hold() error {
	host, _ := os.Hostname() // "" is as good: the process number is what counts
	text, err := json.Marshal(holderRecord{os.Getpid(), host, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := writeFile(d.fs, d.fs.PathJoin(d.path, holderFile), text); err != nil {
		return fmt.Errorf("store: say who holds the directory: %w", err)
	}
	return nil
}

// holder says in words who has the directory open.
func (d *directory) holder() string {
	text, err := readFile(d.fs, d.fs.PathJoin(d.path, holderFile))
	var h holderRecord
	if err != nil || json.Unmarshal(text, &h) != nil {
		return "it did not say who it is"
	}
	return fmt.Sprintf("process %d on %s, since %s", h.Process, h.Host, h.Since.Format(time.RFC3339))
}

// close lets the directory go.
func (d *directory) close() error {
	return errors.Join(d.fs.Remove(d.fs.PathJoin(d.path, holderFile)), d.lock.Close())
}
