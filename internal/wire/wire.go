// Package wire reads the small binary records that crier keeps: numbers as
// varints, texts behind their length. Writing needs no more than
// encoding/binary.
package wire

import "encoding/binary"

// Reader takes values off the front of a record. The first value that is not
// there, or larger than the caller allows, sets Failed; all that follow are
// zero, so that a decoder checks once, at its end. Bytes are not copied.
type Reader struct {
	Rest   []byte
	Failed bool
}

func (r *Reader) fail() {
	r.Failed, r.Rest = true, nil
}

// Uvarint takes a number of at most most.
func (r *Reader) Uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 || v > most {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Varint takes a signed number.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.Rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Byte takes one byte.
func (r *Reader) Byte() byte {
	b := r.Bytes(1)
	if b == nil {
		return 0
	}
	return b[0]
}

// Bytes takes n bytes of the record itself, nil if there are fewer.
func (r *Reader) Bytes(n uint64) []byte {
	if n > uint64(len(r.Rest)) {
		r.fail()
		return nil
	}
	b := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return b
}

// Text takes a text that AppendText wrote, of at most most bytes.
func (r *Reader) Text(most uint64) string {
	return string(r.Bytes(r.Uvarint(most)))
}

// AppendText writes a text behind its length.
func AppendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}
