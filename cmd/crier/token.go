package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crierd/crier/internal/daemon"
	"github.com/crierd/crier/store"
)

type tokenCommand struct {
	Caller string   `arg:"" help:"Whose it is: the name in the audit chain."`
	Scopes []string `help:"What it may do: observe, enrol, dispatch, approve, app, admin." required:""`
	Data   string   `help:"Directory of the store; no daemon may have it open." default:"crier-data"`
}

// Run makes a token and prints it, the only time that it is shown.
func (c *tokenCommand) Run(ctx context.Context, term *terminal) error {
	st, err := store.Open(c.Data, nil)
	if err != nil {
		return err
	}
	secret, err := daemon.MakeToken(ctx, st, store.Token{ID: c.Caller, Scopes: c.Scopes, Created: time.Now()})
	if err = errors.Join(err, st.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(term.out, secret)
	return err
}
