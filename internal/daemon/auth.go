package daemon

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"os"
	"slices"
	"strings"

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

func allScopes() []string { return []string{observe, enrol, dispatch, approve, app, admin} }

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
func newGuard(ctx context.Context, st *store.Store, now store.Token) (*guard, string, error) {
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
	made, secret := "", os.Getenv("CRIER_TOKEN")
	if secret == "" {
		var b [32]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		secret = "crier_" + base64.RawURLEncoding.EncodeToString(b[:])
		made = secret
	}
	now.ID, now.Hash, now.Scopes = "first", sha256.Sum256([]byte(secret)), allScopes()
	g.tokens[now.Hash] = caller{now.ID, now.Scopes}
	return g, made, st.Update(ctx, func(tx *store.Tx) error {
		tx.PutToken(now)
		tx.Audit(store.AuditRecord{At: now.Created, Actor: "daemon", Verb: "make token", Subject: now.ID})
		return nil
	})
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
