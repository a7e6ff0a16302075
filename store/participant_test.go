package store

import (
	"encoding/json"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

const somebodyJSON = `{"id":"p-000001","contacts":{"sms":"+31612345678","email":"a@example.nl"},"language":"nl","timezone":"Europe/Amsterdam",
	"places":[{"id":"home","point":[4.9041,52.3676],"postcode":"1012AB","channels":["sms","voice"],"kinds":["missing"],"schedule":"Mo-Fr 18:00-23:00"},
	{"id":"town","area":{"regions":["GM0363"]},"channels":["messenger"],"schedule":"always"}]}`

func TestParticipantJSON(t *testing.T) {
	t.Parallel()
	var p Participant
	require.NoError(t, jsonv2.Unmarshal([]byte(somebodyJSON), &p, jsonv2.RejectUnknownMembers(true)))
	require.NoError(t, p.Validate())
	require.Equal(t, Position{Lat: 523676000, Lng: 49041000}, *p.Places[0].Point)
	text, err := jsonv2.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, somebodyJSON, string(text))
	for _, bad := range []string{`[1]`, `[1,2,3]`, `[181,0]`, `[0,91]`, `"x"`} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &Position{}), errPosition)
	}
}

// TestValidate changes one thing of a good participant, and says where it is wrong.
func TestValidate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	for path, change := range map[string]func(*Participant){
		"id":                    func(p *Participant) { p.ID = "" },
		"id ":                   func(p *Participant) { p.ID = long },
		"id  ":                  func(p *Participant) { p.ID = "a\x00b" },
		"id   ":                 func(p *Participant) { p.ID = "\xff" },
		"contacts.sms":          func(p *Participant) { p.Contacts["sms"] = "0612345678" },
		"contacts.voice":        func(p *Participant) { p.Contacts["voice"] = "+0" },
		"contacts.email":        func(p *Participant) { p.Contacts["email"] = "A <a@example.nl>" },
		"contacts.app":          func(p *Participant) { p.Contacts["app"] = "" },
		"contacts.x":            func(p *Participant) { p.Contacts["x"] = strings.Repeat("x", 5000) },
		"contacts.?":            func(p *Participant) { p.Contacts["SM S"] = "x" },
		"language":              func(p *Participant) { p.Language = "n l" },
		"timezone":              func(p *Participant) { p.Timezone = strings.Repeat("x", 65) },
		"places":                func(p *Participant) { p.Places = nil },
		"places ":               func(p *Participant) { p.Places = make([]Place, 101) },
		"places[0]":             func(p *Participant) { p.Places[0].Point, p.Places[0].Postcode = nil, "" },
		"places[0] ":            func(p *Participant) { p.Places[0].Area = []byte("{}") },
		"places[0].id":          func(p *Participant) { p.Places[0].ID = long },
		"places[0].postcode":    func(p *Participant) { p.Places[0].Postcode = "0123" },
		"places[0].postcode ":   func(p *Participant) { p.Places[0].Postcode = "1012ab" },
		"places[0].channels":    func(p *Participant) { p.Places[0].Channels = nil },
		"places[0].channels ":   func(p *Participant) { p.Places[0].Channels = make([]string, 33) },
		"places[0].channels[1]": func(p *Participant) { p.Places[0].Channels[1] = "Voice" },
		"places[0].kinds[0]":    func(p *Participant) { p.Places[0].Kinds[0] = "" },
		"places[1].schedule":    func(p *Participant) { p.Places[1].Schedule = Schedule{} },
	} {
		var p Participant
		require.NoError(t, jsonv2.Unmarshal([]byte(somebodyJSON), &p))
		change(&p)
		err := p.Validate()
		var refused *FieldError
		require.ErrorAs(t, err, &refused, path)
		require.Equal(t, strings.TrimSpace(path), refused.Path)
		require.NotContains(t, err.Error(), "0612345678", "contacts do not come back")
	}
}
