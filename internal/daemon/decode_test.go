package daemon

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/store"
)

// FuzzBody decodes whatever comes as each of the bodies: it is refused with a
// status below 500, or means the same when it is written and read again.
func FuzzBody(f *testing.F) {
	f.Add([]byte(child))
	f.Add([]byte(person))
	f.Add([]byte(`{"result":"found","text":"Gevonden"}`))
	f.Add([]byte(`{"kind":"missing","area":{"regions":["GM0363"]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		requireRefusedOr(t, body, func(r *actionRequest) {
			a, err := r.action("nl")
			if err != nil {
				status, _, _ := classify(err)
				require.Less(t, status, 502)
				return
			}
			require.Equal(t, r.Kind, a.Kind)
		})
		requireRefusedOr(t, body, func(p *store.Participant) {
			if p.Validate() != nil {
				return
			}
			text, err := json.Marshal(p)
			require.NoError(t, err)
			again, err := decode[store.Participant](text)
			require.NoError(t, err, "%s", text)
			require.NoError(t, again.Validate())
		})
		requireRefusedOr(t, body, func(*closeRequest) {})
		requireRefusedOr(t, body, func(*cancelRequest) {})
	})
}

func requireRefusedOr[T any](t *testing.T, body []byte, good func(*T)) {
	v, err := decode[T](body)
	if err == nil {
		good(&v)
		return
	}
	status, _, _ := classify(err)
	require.Contains(t, []int{400, 422, 501}, status, "%v", err)
}
