package fanout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/geoindex"
)

// FuzzRecord decodes, encodes and decodes again.
func FuzzRecord(f *testing.F) {
	incident := dam
	r := record{Version: recordVersion, ID: newID(time.Unix(1, 0)), Status: Running, Action: missing(500), Messages: []messageRecord{{Number: 1, Phase: Alert}}}
	r.Action.Incident = &incident
	value, err := r.encode()
	require.NoError(f, err)
	f.Add(value)
	r.Action.Area, r.Last = geoindex.Polygon([]geoindex.Point{{}, {Lat: 9}, {Lng: 9}}), &last{Phase: Ending, Text: Text{"nl": "x"}}
	value, err = r.encode()
	require.NoError(f, err)
	f.Add(value)
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := decodeRecord(value)
		if err != nil {
			return
		}
		again, err := r.encode()
		require.NoError(t, err)
		if len(r.Action.Area.AppendCanonical(nil)) < 10 {
			return // an area without vertices does not come back
		}
		back, err := decodeRecord(again)
		require.NoError(t, err, "%s", again)
		require.True(t, r.Action.Area.Equal(back.Action.Area))
		require.Equal(t, r.Status, back.Status)
	})
}
