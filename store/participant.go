package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Participant is whoever can be told something. Its JSON is that of the
// contract. A Participant is a plain value; the store keeps nothing of it.
type Participant struct {
	ID       string            `json:"id"`                 // the caller's own: printable UTF-8, at most 128 bytes
	Contacts map[string]string `json:"contacts,omitempty"` // by channel
	Language string            `json:"language,omitempty"` // BCP 47; "": the network's
	Timezone string            `json:"timezone,omitempty"` // IANA name; "": the network's
	Places   []Place           `json:"places"`
}

// Place is where a participant wants to be reached about: a point, an area, or
// a bare postcode.
type Place struct {
	ID       string         `json:"id,omitempty"`
	Point    *Position      `json:"point,omitempty"`
	Area     jsontext.Value `json:"area,omitempty"`     // as it came; opaque here
	Postcode string         `json:"postcode,omitempty"` // "1012" or "1012AB"
	Channels []string       `json:"channels"`           // preferred first
	Kinds    []string       `json:"kinds,omitempty"`    // of action; none: all
	Schedule Schedule       `json:"schedule,omitzero"`
}

// Position is a point on WGS-84 in units of 1e-7 degree; its JSON is
// [longitude, latitude] in degrees.
type Position struct {
	Lat, Lng int32
}

const (
	grid         = 1e7
	maxID        = 128
	maxContact   = 4096
	maxPlaces    = 100
	maxPreferred = 32
)

// MarshalJSON gives [longitude, latitude] in degrees.
func (p Position) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]float64{float64(p.Lng) / grid, float64(p.Lat) / grid})
}

var errPosition = errors.New("is not a position [longitude, latitude] on the earth")

// UnmarshalJSON reads [longitude, latitude] in degrees, rounded to the grid.
func (p *Position) UnmarshalJSON(text []byte) error {
	var degrees []float64
	if err := json.Unmarshal(text, &degrees); err != nil || len(degrees) != 2 {
		return errPosition
	}
	lng, lat := degrees[0], degrees[1]
	if !(math.Abs(lng) <= 180 && math.Abs(lat) <= 90) {
		return errPosition
	}
	p.Lng, p.Lat = int32(math.Round(lng*grid)), int32(math.Round(lat*grid))
	return nil
}

// FieldError refuses a field of a [Participant]. It never repeats a contact.
type FieldError struct {
	Path    string // JSON path, "places[0].schedule"
	Message string
	Err     error // the cause, or nil
}

// Error names the field.
func (e *FieldError) Error() string { return e.Path + ": " + e.Message }

// Unwrap gives the cause.
func (e *FieldError) Unwrap() error { return e.Err }

func refuse(path, format string, args ...any) error {
	return &FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
}

// Validate says with a [*FieldError] what is wrong with a participant, if
// anything is. Time zones are the caller's to check: it has to load them anyway.
func (p *Participant) Validate() error {
	if err := validID(p.ID); err != nil {
		return refuse("id", "%v", err)
	}
	for channel, contact := range p.Contacts {
		if err := validContact(channel, contact); err != nil {
			return refuse("contacts."+tame(channel), "%v", err)
		}
	}
	if len(p.Language) > 35 || strings.ContainsFunc(p.Language, notTag) {
		return refuse("language", "is not a language tag")
	}
	if len(p.Timezone) > 64 || strings.ContainsFunc(p.Timezone, unicode.IsControl) {
		return refuse("timezone", "is not the name of a time zone")
	}
	if len(p.Places) == 0 {
		return refuse("places", "is required: without a place nobody is told anything")
	}
	if len(p.Places) > maxPlaces {
		return refuse("places", "%d places, at most %d", len(p.Places), maxPlaces)
	}
	for i := range p.Places {
		if err := p.Places[i].validate(fmt.Sprintf("places[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Place) validate(path string) error {
	switch {
	case len(p.ID) > maxID || !printable(p.ID):
		return refuse(path+".id", "is not printable UTF-8 of at most %d bytes", maxID)
	case p.Point == nil && len(p.Area) == 0 && p.Postcode == "":
		return refuse(path, "has no point, area or postcode")
	case p.Point != nil && len(p.Area) > 0:
		return refuse(path, "has both a point and an area")
	case p.Postcode != "" && !isPostcode(p.Postcode):
		return refuse(path+".postcode", "is not of the form 1012 or 1012AB")
	case len(p.Channels) == 0:
		return refuse(path+".channels", "is required")
	case len(p.Channels) > maxPreferred:
		return refuse(path+".channels", "%d channels, at most %d", len(p.Channels), maxPreferred)
	case p.Schedule.IsZero():
		return refuse(path+".schedule", `is required: "always", or weekly windows`)
	}
	for i, c := range p.Channels {
		if !isWord(c) {
			return refuse(fmt.Sprintf("%s.channels[%d]", path, i), "is not the name of a channel")
		}
	}
	for i, k := range p.Kinds {
		if !isWord(k) {
			return refuse(fmt.Sprintf("%s.kinds[%d]", path, i), "is not the name of a kind")
		}
	}
	return nil
}

func validID(id string) error {
	switch {
	case id == "":
		return errors.New("is required")
	case len(id) > maxID:
		return fmt.Errorf("has %d bytes, at most %d", len(id), maxID)
	case !printable(id):
		return errors.New("is not printable UTF-8")
	}
	return nil
}

// validContact checks the form of a contact on the channels that have one.
func validContact(channel, contact string) error {
	switch {
	case !isWord(channel):
		return errors.New("is not the name of a channel")
	case contact == "":
		return errors.New("is empty")
	case len(contact) > maxContact || !printable(contact):
		return fmt.Errorf("is not printable UTF-8 of at most %d bytes", maxContact)
	}
	switch channel {
	case "sms", "voice":
		if !isE164(contact) {
			return errors.New("is not a number in E.164 form, as +31201234567")
		}
	case "email":
		if a, err := mail.ParseAddress(contact); err != nil || a.Address != contact || len(contact) > 254 {
			return errors.New("is not an e-mail address")
		}
	}
	return nil
}

// isE164: plus, a country code that is not 0, 7 to 15 digits (ITU-T E.164).
func isE164(s string) bool {
	return len(s) >= 8 && len(s) <= 16 && s[0] == '+' && s[1] != '0' && isDigits(s[1:])
}

func isPostcode(s string) bool {
	if len(s) != 4 && len(s) != 6 || s[0] == '0' || !isDigits(s[:4]) {
		return false
	}
	return !strings.ContainsFunc(s[4:], func(r rune) bool { return r < 'A' || r > 'Z' })
}

// isWord says whether s can name a channel or a kind.
func isWord(s string) bool {
	return s != "" && len(s) <= 32 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

func notTag(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// tame makes a name from outside fit for an error.
func tame(name string) string {
	if isWord(name) {
		return name
	}
	return "?"
}
