package store

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Contacts are sealed with AES-256-GCM under a keyset of the store, whose values
// carry their key's number. The keyset, the key that contacts are looked up
// with and the secret of idempotency keys are themselves sealed in the database
// by one key that lives outside of it: whoever has only the directory reads no
// contact. The look-up key never changes with the keyset.
type seals struct {
	contacts tink.AEAD
	finder   []byte // HMAC key of the contact look-up
	secret   []byte // HMAC key of idempotency keys
}

// KeyBytes is the length of a store's outer key.
const KeyBytes = 32

var errOuterKey = errors.New("the key does not open this store")

// newSeals makes fresh keys, and their rows for the database by name.
func newSeals(outer []byte) (*seals, map[string][]byte, error) {
	kek, err := subtle.NewAESGCM(outer)
	if err != nil {
		return nil, nil, err
	}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, nil, err
	}
	var buf bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&buf), kek, []byte("keyset")); err != nil {
		return nil, nil, err
	}
	rows := map[string][]byte{"keyset": buf.Bytes()}
	for _, name := range []string{"finder", "secret"} {
		key := make([]byte, KeyBytes)
		_, _ = rand.Read(key) // never fails (crypto/rand)
		if rows[name], err = kek.Encrypt(key, []byte(name)); err != nil {
			return nil, nil, err
		}
	}
	s, err := openSeals(outer, func(name string) ([]byte, error) { return rows[name], nil })
	return s, rows, err
}

// openSeals unseals the keys with the outer one.
func openSeals(outer []byte, row func(name string) ([]byte, error)) (*seals, error) {
	kek, err := subtle.NewAESGCM(outer)
	if err != nil {
		return nil, err
	}
	sealed, err := row("keyset")
	if err != nil {
		return nil, err
	}
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(sealed)), kek, []byte("keyset"))
	if err != nil {
		return nil, errOuterKey
	}
	s := &seals{}
	if s.contacts, err = aead.New(handle); err != nil {
		return nil, err
	}
	for name, key := range map[string]*[]byte{"finder": &s.finder, "secret": &s.secret} {
		if sealed, err = row(name); err != nil {
			return nil, err
		}
		if *key, err = kek.Decrypt(sealed, []byte(name)); err != nil {
			return nil, errOuterKey
		}
	}
	return s, nil
}

// seal binds a contacts row to its key: it cannot be moved to another participant.
func (s *seals) seal(o Ordinal, plain []byte) ([]byte, error) {
	sealed, err := s.contacts.Encrypt(plain, ordinalKey(tableContacts, o))
	if err != nil {
		return nil, err
	}
	return append([]byte{version}, sealed...), nil
}

func (s *seals) unseal(o Ordinal, value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != version {
		return nil, errValue
	}
	return s.contacts.Decrypt(value[1:], ordinalKey(tableContacts, o))
}

// hash is what a contact is looked up by: 16 bytes of a keyed hash, which
// without the key tell nothing, not even whether a number is known.
func (s *seals) hash(channel, contact string) []byte {
	h := hmac.New(sha256.New, s.finder)
	h.Write(append([]byte(channel), 0))
	h.Write([]byte(contact))
	return h.Sum(nil)[:16]
}

// newKeyFile makes a key and keeps it in a file that only its owner reads.
func newKeyFile(path string) ([]byte, error) {
	key := make([]byte, KeyBytes)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	return key, errors.Join(err, f.Sync(), f.Close())
}

// outerKey gives the configured key, else that of the file beside the
// directory, which is made for a store that is being made.
func outerKey(c Config, dir string, making bool) ([]byte, error) {
	if len(c.Key) > 0 {
		if len(c.Key) != KeyBytes {
			return nil, fmt.Errorf("key has %d bytes, not %d", len(c.Key), KeyBytes)
		}
		return c.Key, nil
	}
	path := filepath.Clean(dir) + ".key"
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && making {
		return newKeyFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the store: %w", err)
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != KeyBytes {
		return nil, fmt.Errorf("%s: is not a key of %d bytes in hexadecimal digits", path, KeyBytes)
	}
	return key, nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(f)
	return text, errors.Join(err, f.Close())
}

// writeFile replaces a file whole: it is there with all of its bytes, or not.
func writeFile(fs vfs.FS, path string, text []byte) error {
	f, err := fs.Create(path+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(path+".new", path); err != nil {
		return err
	}
	parent, err := fs.OpenDir(fs.PathDir(path))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}
