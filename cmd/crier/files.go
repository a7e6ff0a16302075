package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// openFile opens a file to read, unpacked by its name's end; "-" is the input.
func openFile(path string) (io.Reader, func() error, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewReader(f)
		if err != nil {
			return nil, nil, errors.Join(err, f.Close())
		}
		return z, func() error { z.Close(); return f.Close() }, nil
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(bufio.NewReader(f))
		if err != nil {
			return nil, nil, errors.Join(err, f.Close())
		}
		return z, func() error { return errors.Join(z.Close(), f.Close()) }, nil
	}
	return f, f.Close, nil
}

// createFile opens a file to write, packed by its name's end; "" is out. What
// holds people's data is for its owner only.
func createFile(path string, out io.Writer) (io.Writer, func() error, error) {
	if path == "" {
		w := bufio.NewWriter(out)
		return w, w.Flush, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return nil, nil, errors.Join(err, f.Close())
		}
		return z, func() error { return errors.Join(z.Close(), f.Close()) }, nil
	case strings.HasSuffix(path, ".gz"):
		z := gzip.NewWriter(f)
		return z, func() error { return errors.Join(z.Close(), f.Close()) }, nil
	}
	w := bufio.NewWriter(f)
	return w, func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}
