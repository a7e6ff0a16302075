package store

import (
	"iter"

	"github.com/cockroachdb/pebble/v2"
)

// row is a key and its value, valid until the next one is asked for.
type row struct{ key, value []byte }

// scan reads the rows whose keys begin with prefix, in order.
func (s *Store) scan(prefix []byte) iter.Seq2[row, error] {
	return s.between(prefix, after(prefix))
}

// between reads the rows from first up to end, which is left out. It sees the
// moment at which it begins. An error is the last pair.
func (s *Store) between(first, end []byte) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		if s.closed.Load() {
			yield(row{}, ErrClosed)
			return
		}
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: first, UpperBound: end})
		if err != nil {
			yield(row{}, err)
			return
		}
		defer func() { _ = it.Close() }() // its error is that of it.Error
		for ok := it.First(); ok; ok = it.Next() {
			value, err := it.ValueAndErr()
			if err != nil {
				yield(row{}, corrupt(first[0], err))
				return
			}
			if !yield(row{it.Key(), value}, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(row{}, corrupt(first[0], err))
		}
	}
}

// rows reads the rows that begin with prefix as what decode makes of them.
func rows[T any](s *Store, prefix []byte, decode func(key, value []byte) (T, error)) iter.Seq2[T, error] {
	return decoded(s.scan(prefix), prefix[0], decode)
}

func decoded[T any](in iter.Seq2[row, error], table byte, decode func(key, value []byte) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for r, err := range in {
			var v T
			if err == nil {
				if v, err = decode(r.key, r.value); err != nil {
					err = corrupt(table, err)
				}
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}
