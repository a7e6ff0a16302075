package wire

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReaderTakesWhatWasWritten(t *testing.T) {
	t.Parallel()
	b := binary.AppendUvarint(nil, 300)
	b = binary.AppendVarint(b, -5)
	b = append(b, 7)
	b = AppendText(b, "één")
	r := Reader{Rest: append(b, 1, 2)}
	require.Equal(t, uint64(300), r.Uvarint(300))
	require.Equal(t, int64(-5), r.Varint())
	require.Equal(t, byte(7), r.Byte())
	require.Equal(t, "één", r.Text(5))
	require.Equal(t, []byte{1, 2}, r.Bytes(2))
	require.False(t, r.Failed)
	require.Empty(t, r.Rest)
}

func TestReaderFailsOnceAndForAll(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*Reader){
		"above the most": func(r *Reader) { r.Uvarint(2) },
		"no bytes":       func(r *Reader) { r.Bytes(9) },
		"long text":      func(r *Reader) { r.Text(2) },
		"cut text":       func(r *Reader) { r.Text(100) },
	} {
		r := Reader{Rest: []byte{3, 'a', 'b'}}
		take(&r)
		require.True(t, r.Failed, name)
		require.Zero(t, r.Uvarint(1<<40), name)
		require.Zero(t, r.Varint(), name)
		require.Zero(t, r.Byte(), name)
		require.Empty(t, r.Text(10), name)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{3, 'a', 'b', 'c', 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Reader{Rest: b}
		text := r.Text(1 << 20)
		number := r.Varint()
		if r.Failed {
			return
		}
		again := Reader{Rest: binary.AppendVarint(AppendText(nil, text), number)}
		require.Equal(t, text, again.Text(1<<20))
		require.Equal(t, number, again.Varint())
		require.False(t, again.Failed)
	})
}
