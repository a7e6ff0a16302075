package channels_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
)

func TestContactNeverShows(t *testing.T) {
	t.Parallel()
	const number = "+31612345678"
	c := channels.Contact(number)
	recipient := channels.Recipient{Key: "k", To: c}

	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%T%v", "%10s"} {
		for _, value := range []any{c, &c, recipient, &recipient, []channels.Recipient{recipient}} {
			out := fmt.Sprintf(verb, value, value)
			require.NotContains(t, out, number, verb)
			require.NotContains(t, out, fmt.Sprintf("%x", number), verb)
		}
	}

	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("sent", "to", c, "recipient", recipient, "all", []channels.Recipient{recipient})
	}
	require.NotContains(t, log.String(), number)
	require.Contains(t, log.String(), "[contact]")

	asJSON, err := json.Marshal(recipient)
	require.NoError(t, err)
	require.NotContains(t, string(asJSON), number)
	asXML, err := xml.Marshal(recipientElement{To: c})
	require.NoError(t, err)
	require.NotContains(t, string(asXML), number)
	require.Equal(t, number, c.Reveal())
}

type recipientElement struct {
	To channels.Contact `xml:"to,attr"`
}

func TestContactMasksAlike(t *testing.T) {
	t.Parallel()
	for _, c := range []channels.Contact{"", "1", "a@example.nl", "a much longer token than that"} {
		require.Equal(t, "[contact]", c.String())
		require.Equal(t, "[contact]", c.GoString())
		require.Equal(t, "[contact]", c.LogValue().String())
	}
}
