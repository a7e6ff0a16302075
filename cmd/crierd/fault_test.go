//go:build fault

package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryPoint has the daemon die at each of the points where a crash would
// hurt, and at each again a little later. It runs with the build tag "fault",
// without which the points are not there.
func TestEveryPoint(t *testing.T) {
	t.Parallel()
	r, p := newScene(t)
	p.kill()
	_ = p.cmd.Wait()
	for i, point := range []string{
		"after plan commit:1", "after claim:1", "after claim:9", "between sink answer and ledger write:1",
		"between sink answer and ledger write:9", "after end is asked:1", "after closing commit:1",
	} {
		p.start("CRIER_FAULT=" + point)
		// The daemon may die before it answers: the action is found by its reference.
		body := fmt.Sprintf(child, 1000+i)
		_, _ = p.do(http.MethodPost, "/v1/actions", body)
		id := ""
		if i >= 5 {
			id = p.action(http.MethodPost, "/v1/actions", body).ID // the same request again
			_, _ = p.do(http.MethodPost, "/v1/actions/"+id+"/close", `{"result":"found","text":"Gevonden, dank u."}`)
		}
		require.Error(t, p.cmd.Wait(), point)
		p.start()
		id = p.action(http.MethodPost, "/v1/actions", body).ID
		r.finish(t, p, id, i >= 5, point)
		p.kill()
		_ = p.cmd.Wait()
	}
}
