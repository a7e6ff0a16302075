package store

import (
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// Request is one that was carried out under an idempotency key.
type Request struct {
	Fingerprint [32]byte  `json:"fingerprint"` // of its body
	Action      string    `json:"action"`      // that it made or changed
	At          time.Time `json:"at"`
}

// PutRequest keeps a request for its caller and key, neither of which may hold
// a zero byte.
func (tx *Tx) PutRequest(caller, key string, r Request) {
	value, err := json.Marshal(r)
	if err != nil && tx.err == nil {
		tx.err = err
	}
	tx.set(requestKey(caller, key), append([]byte{version}, value...))
}

// Request is [Store.Request] that sees what the Update wrote.
func (tx *Tx) Request(caller, key string) (Request, bool, error) {
	return request(tx.get(requestKey(caller, key)))
}

// Request finds what a caller's key was used for; false if it was not.
func (s *Store) Request(caller, key string) (Request, bool, error) {
	return request(s.get(requestKey(caller, key)))
}

func request(value []byte, err error) (Request, bool, error) {
	if errors.Is(err, ErrNotFound) {
		return Request{}, false, nil
	}
	if err != nil {
		return Request{}, false, err
	}
	var r Request
	if err := decodeJSON(value, &r); err != nil {
		return Request{}, false, corrupt(tableRequest, err)
	}
	return r, true, nil
}

func decodeJSON(value []byte, into any) error {
	if len(value) == 0 || value[0] != version || json.Unmarshal(value[1:], into) != nil {
		return errValue
	}
	return nil
}

// ForgetRequests drops the requests made before an instant.
func (tx *Tx) ForgetRequests(before time.Time) error {
	for r, err := range tx.store.scan([]byte{tableRequest}) {
		if err != nil {
			return err
		}
		old, _, err := request(r.value, nil)
		if err != nil {
			return err
		}
		if old.At.Before(before) {
			tx.delete(append([]byte(nil), r.key...))
		}
	}
	return nil
}

// Token is a right of access: who shows the secret that Hash is of has Scopes.
type Token struct {
	ID      string    `json:"id"`
	Hash    [32]byte  `json:"hash"` // SHA-256 of the secret, which is random and long
	Scopes  []string  `json:"scopes"`
	Created time.Time `json:"created"`
}

// PutToken creates or replaces a token by ID.
func (tx *Tx) PutToken(t Token) {
	value, err := json.Marshal(t)
	if err != nil && tx.err == nil {
		tx.err = err
	}
	tx.set(textKey(tableToken, t.ID), append([]byte{version}, value...))
}

// Tokens reads all tokens in order of ID.
func (s *Store) Tokens() iter.Seq2[Token, error] {
	return rows(s, []byte{tableToken}, func(_, value []byte) (Token, error) {
		var t Token
		return t, decodeJSON(value, &t)
	})
}
