package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// client calls a running daemon.
type client struct {
	server, token string
}

func (t *target) client() *client {
	return &client{strings.TrimSuffix(t.Server, "/"), t.Token}
}

// call makes one call and decodes its answer.
func (c *client) call(ctx context.Context, method, path string, body io.Reader, into any) error {
	answer, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	return json.UnmarshalRead(answer, into)
}

// copy writes an answer as it is.
func (c *client) copy(ctx context.Context, path string, w io.Writer) error {
	answer, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	_, err = io.Copy(w, answer)
	return err
}

// post sends a value and prints what comes back.
func (c *client) post(ctx context.Context, term *terminal, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var answer jsontext.Value
	if err := c.call(ctx, http.MethodPost, path, bytes.NewReader(text), &answer); err != nil {
		return err
	}
	return printJSON(term.out, answer)
}

func (c *client) do(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if method == http.MethodPost {
		r.Header.Set("Idempotency-Key", rand.Text())
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 300 {
		return answer.Body, nil
	}
	defer func() { _ = answer.Body.Close() }()
	var problem struct {
		Detail string `json:"detail"`
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil || json.Unmarshal(text, &problem) != nil || problem.Detail == "" {
		return nil, errors.New(answer.Status)
	}
	return nil, fmt.Errorf("%s: %s", answer.Status, problem.Detail)
}

func printJSON(w io.Writer, v any) error {
	return errors.Join(json.MarshalWrite(w, v, jsontext.WithIndent("  "), json.Deterministic(true)), newline(w))
}

func newline(w io.Writer) error {
	_, err := io.WriteString(w, "\n")
	return err
}
