// Package store keeps participants, actions, plans, the ledger and the audit
// chain on Pebble, and is durable when it says so. It knows nothing of sending,
// and plans are opaque bytes to it.
//
// [Open] a directory. Writes are closures: [Store.Update] is all or nothing,
// and has been synced to disk when it returns. Reads are methods of the [Store];
// iterators see the moment at which they began.
//
// Each participant has a dense [Ordinal] that is never given out twice. What the
// index needs lies in rows of its own, so that a start reads nothing else.
// Contacts are sealed by a key from outside the directory (seal.go).
//
// # Concurrency
//
// All methods of a Store may be called from any goroutine. Updates go one after
// another; their syncs are shared. [Tx] is for the goroutine of its Update.
//
// # Caveats
//
// A failure to write the log or the manifest ends the process, as Pebble means
// it: what is on disk then is whole, and a new process goes on from there. Set
// [Config.Fatal] to have a last word.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// What a caller branches on.
var (
	ErrNotFound = errors.New("store: not found")
	ErrClosed   = errors.New("store: closed")
	ErrFull     = errors.New("store: all ordinals are given out")
)

// Config is how a store works. The zero value is right.
type Config struct {
	Key    []byte       // outer key, KeyBytes long. default: that of the file beside the directory, named after it with ".key"; made with the store
	Cache  int64        // of blocks read, in bytes. default: 64 MiB
	FS     vfs.FS       // default: the operating system's
	Logger *slog.Logger // default: discards
	Fatal  func(error)  // called when the disk takes no more writes; must not return. default: logs and exits with status 1
}

// Store is an open store. [Open] is the only way to one.
type Store struct {
	db     *pebble.DB
	tables *pebble.Options // that the database was opened with
	cache  *pebble.Cache
	dir    *directory
	config Config
	seals  *seals
	closed atomic.Bool
	scrubs scrubber

	write    sync.Mutex        // held by the one Update, over its commit; guards the next two
	state    state             // as committed
	classIDs map[string]uint32 // by text

	sequence atomic.Uint64
	next     atomic.Uint32 // as state.Next, for readers
	mu       sync.RWMutex  // guards classes
	classes  [][]byte      // by number; only grows
}

// Open opens a store's directory, or makes one out of an empty or absent one.
// One process at a time may have it: others are refused with [ErrHeld] and told
// who it is. What is torn, foreign or damaged is refused and left as it is.
func Open(dir string, config *Config) (*Store, error) {
	var c Config
	if config != nil {
		c = *config
	}
	c = c.withDefaults()
	d, err := lockDirectory(c.FS, dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: d, config: c, classIDs: map[string]uint32{}}
	if err := s.open(); err != nil {
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
		if s.cache != nil {
			s.cache.Unref()
		}
		return nil, errors.Join(fmt.Errorf("store: open %s: %w", dir, err), d.close())
	}
	s.scrubs.start(s)
	return s, nil
}

func (c Config) withDefaults() Config {
	c.Cache = cmp.Or(c.Cache, 64<<20)
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Fatal == nil {
		c.Fatal = func(err error) {
			c.Logger.Error("store takes no more writes", "error", err)
			os.Exit(1)
		}
	}
	return c
}

func (s *Store) open() error {
	fresh := s.dir.fresh
	outer, err := outerKey(s.config, s.dir.path, fresh)
	if err != nil {
		return err
	}
	if fresh {
		if err := s.dir.mark(markMaking); err != nil {
			return err
		}
	}
	s.cache = pebble.NewCache(s.config.Cache)
	if err := s.removeLeftovers(); err != nil {
		return err
	}
	s.tables = s.options(fresh)
	if s.db, err = pebble.Open(s.dir.path, s.tables); err != nil {
		return fmt.Errorf("%w: nothing was changed; restore a backup if it stays so", err)
	}
	if fresh {
		if err := s.found(outer); err != nil {
			return err
		}
		return s.dir.mark(markWhole)
	}
	return s.load(outer)
}

// found writes the first rows of a new store.
func (s *Store) found(outer []byte) error {
	keys, rows, err := newSeals(outer)
	if err != nil {
		return err
	}
	s.seals = keys
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }()
	for name, value := range rows {
		_ = b.Set(textKey(tableMeta, name), value, nil) // a batch in memory: cannot fail
	}
	_ = b.Set(textKey(tableMeta, "state"), s.state.encode(), nil)
	return b.Commit(pebble.Sync)
}

// load reads what an open store keeps in memory.
func (s *Store) load(outer []byte) error {
	keys, err := openSeals(outer, func(name string) ([]byte, error) { return s.get(textKey(tableMeta, name)) })
	if err != nil {
		return err
	}
	s.seals = keys
	value, err := s.get(textKey(tableMeta, "state"))
	if err != nil {
		return corrupt(tableMeta, err)
	}
	if s.state, err = decodeState(value); err != nil {
		return corrupt(tableMeta, err)
	}
	s.sequence.Store(s.state.Sequence)
	s.next.Store(uint32(s.state.Next))
	return s.loadClasses()
}

// options are Pebble's, with reasons where they are not its defaults.
func (s *Store) options(fresh bool) *pebble.Options {
	o := &pebble.Options{
		FS:    s.config.FS,
		Cache: s.cache,
		Lock:  s.dir.lock,
		// Named, so that a new Pebble does not raise it unasked. Versions from
		// FormatWALSyncChunks on tell a damaged log from the end of one.
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                32 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000, // never keep an action waiting for compactions
		MaxOpenFiles:                4096,
		Logger:                      pebbleLog{s.config},
		ErrorIfExists:               fresh,
		ErrorIfNotExists:            !fresh, // a store that lost its manifest is damaged, not new
	}
	o.Experimental.ValidateOnIngest = true
	for i := range len(o.Levels) - 1 { // the last level is nearly all there is: a filter there only costs
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	o.EnsureDefaults()
	return o
}

// pebbleLog passes on Pebble's errors, and its end.
type pebbleLog struct{ c Config }

// Infof drops what Pebble tells about its work.
func (l pebbleLog) Infof(string, ...any) {}

// Errorf passes an error on.
func (l pebbleLog) Errorf(format string, args ...any) {
	l.c.Logger.Error("pebble", "error", fmt.Sprintf(format, args...))
}

// Fatalf is the end: the disk takes no more writes.
func (l pebbleLog) Fatalf(format string, args ...any) { l.c.Fatal(fmt.Errorf(format, args...)) }

// Close waits for an Update under way and for the traces of erased participants
// to be removed from disk, and lets the directory go. Closing twice is harmless.
func (s *Store) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.closed.Swap(true) {
		return nil
	}
	s.scrubs.stop()
	err := s.db.Close()
	s.cache.Unref()
	return errors.Join(err, s.dir.close())
}

// Secret is the key of idempotency keys: the same for the life of the store.
// The caller must not change it.
func (s *Store) Secret() []byte { return s.seals.secret }

// Sequence numbers the changes of participants: it is that of the last one that
// has been applied, its OnApply included.
func (s *Store) Sequence() uint64 { return s.sequence.Load() }

// Update runs fn on a new [Tx] and commits what it wrote: all, synced, or, when
// fn or ctx has an error, nothing. What fn handed to [Tx.OnApply] has run then.
// fn must not call methods of the Store that write.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	batch, err := s.apply(ctx, fn)
	if err != nil || batch == nil {
		return err
	}
	// Others may commit while this one waits for the disk: one sync serves all.
	return errors.Join(batch.SyncWait(), batch.Close())
}

// apply runs fn and puts its writes in line for the disk.
func (s *Store) apply(ctx context.Context, fn func(*Tx) error) (*pebble.Batch, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.closed.Load() {
		return nil, ErrClosed
	}
	tx := s.begin()
	err := fn(tx)
	tx.seal()
	if err = errors.Join(err, tx.err); err != nil {
		return nil, errors.Join(err, tx.batch.Close())
	}
	if tx.batch.Empty() {
		return nil, tx.batch.Close()
	}
	if err := s.db.ApplyNoSyncWait(tx.batch, pebble.Sync); err != nil {
		return nil, errors.Join(err, tx.batch.Close())
	}
	tx.published()
	return tx.batch, nil
}
