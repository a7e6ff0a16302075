package daemon

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/crierd/crier/store"
)

// The scopes of the contract.
const (
	observe  = "observe"
	enrol    = "enrol"
	dispatch = "dispatch"
	approve  = "approve"
	app      = "app"
	admin    = "admin"
)

// Scopes lists them all.
func Scopes() []string { return []string{observe, enrol, dispatch, approve, app, admin} }

// MakeToken keeps a token for a caller and returns its secret, which is not kept:
// 256 random bits, so that a plain hash of it tells nothing. A token of the same
// ID is replaced. A daemon takes it in at its next start.
func MakeToken(ctx context.Context, st *store.Store, t store.Token) (secret string, err error) {
	for _, s := range t.Scopes {
		if !slices.Contains(Scopes(), s) {
			return "", fmt.Errorf("%q is not a scope: %v", s, Scopes())
		}
	}
	if t.ID == "" || strings.ContainsFunc(t.ID, unicode.IsControl) {
		return "", errors.New("the caller's name is empty, or not printable")
	}
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	secret = "crier_" + base64.RawURLEncoding.EncodeToString(b[:])
	return secret, keepToken(ctx, st, t, secret)
}

func keepToken(ctx context.Context, st *store.Store, t store.Token, secret string) error {
	t.Hash = sha256.Sum256([]byte(secret))
	return st.Update(ctx, func(tx *store.Tx) error {
		tx.PutToken(t)
		tx.Audit(store.AuditRecord{At: t.Created, Actor: "operator", Verb: "make token", Subject: t.ID})
		return nil
	})
}

// caller is who a request comes from.
type caller struct {
	id     string
	scopes []string
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller) // set by authorise on every call
	return c
}

func (c caller) may(scope string) bool { return slices.Contains(c.scopes, scope) }

// guard knows the tokens by the hash of their secrets, which are random and long:
// looking a hash up tells nobody anything about another.
type guard struct {
	tokens map[[sha256.Size]byte]caller
}

// newGuard loads the tokens. The first start makes one with all scopes: what the
// environment's CRIER_TOKEN says, or a random one, which is returned to be shown
// once.
func newGuard(ctx context.Context, st *store.Store, first store.Token) (*guard, string, error) {
	g := &guard{tokens: map[[sha256.Size]byte]caller{}}
	for t, err := range st.Tokens() {
		if err != nil {
			return nil, "", err
		}
		g.tokens[t.Hash] = caller{t.ID, t.Scopes}
	}
	if len(g.tokens) > 0 {
		return g, "", nil
	}
	first.ID, first.Scopes = "first", Scopes()
	secret, made := os.Getenv("CRIER_TOKEN"), ""
	var err error
	if secret != "" {
		err = keepToken(ctx, st, first, secret)
	} else if made, err = MakeToken(ctx, st, first); err == nil {
		secret = made
	}
	g.tokens[sha256.Sum256([]byte(secret))] = caller{first.ID, first.Scopes}
	return g, made, err
}

// authorise lets a request through whose token has the scope.
func (d *Daemon) authorise(scope string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		secret, ok := strings.CutPrefix(ctx.Header("Authorization"), "Bearer ")
		who, known := d.guard.tokens[sha256.Sum256([]byte(secret))]
		switch {
		case !ok || !known:
			ctx.SetHeader("WWW-Authenticate", "Bearer")
			d.answerError(ctx, refuse(http.StatusUnauthorized, "", "a bearer token is required"))
		case !who.may(scope):
			d.answerError(ctx, refuse(http.StatusForbidden, "", "the token lacks the scope %q", scope))
		default:
			next(huma.WithValue(ctx, callerKey{}, who))
		}
	}
}

// answerError answers outside of a handler.
func (d *Daemon) answerError(ctx huma.Context, err error) {
	p := d.problem(err)
	_ = huma.WriteErr(d.api, ctx, p.Status, p.Detail) // the caller has gone, if it fails
}
