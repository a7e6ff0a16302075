package channels_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/crierd/crier/channels"
)

func TestBatchValidate(t *testing.T) {
	t.Parallel()
	texts := map[string]channels.Text{"nl": {Text: "Let op"}}
	for name, c := range map[string]struct {
		recipients []channels.Recipient
		want       error
	}{
		"nobody":         {nil, nil},
		"two":            {[]channels.Recipient{{Key: "a", Lang: "nl"}, {Key: "b", Lang: "nl"}}, nil},
		"no key":         {[]channels.Recipient{{Key: "a", Lang: "nl"}, {Lang: "nl"}}, channels.ErrKey},
		"key twice":      {[]channels.Recipient{{Key: "a", Lang: "nl"}, {Key: "a", Lang: "nl"}}, channels.ErrKey},
		"other language": {[]channels.Recipient{{Key: "a", Lang: "nl"}, {Key: "b", Lang: "fy"}}, channels.ErrLanguage},
		"no language":    {[]channels.Recipient{{Key: "a"}}, channels.ErrLanguage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := channels.Batch{Texts: texts, Recipients: c.recipients}
			require.ErrorIs(t, b.Validate(), c.want)
		})
	}
	require.NoError(t, new(channels.Batch).Validate())
}

func ExampleBatch_Validate() {
	b := channels.Batch{
		Texts:      map[string]channels.Text{"nl": {Text: "Let op"}},
		Recipients: []channels.Recipient{{Key: "k1", Lang: "nl"}, {Key: "k1", Lang: "nl"}},
	}
	fmt.Println(b.Validate())
	// Output: recipient 1: channels: key missing or used twice in one batch
}
