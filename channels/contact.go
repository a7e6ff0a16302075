package channels

import (
	"fmt"
	"io"
	"log/slog"
)

// mask is what anybody but the provider sees of a contact. It is the same for
// every contact, so that not even a length leaks.
const mask = "[contact]"

// Contact is where a recipient is reached: a telephone number, an address, a
// token. It prints, logs and marshals as a fixed mask, whatever the verb, so
// that it cannot slip into a log line or an error; only [Contact.Reveal] gives
// the value, and only a sink that is about to use it calls that. The zero
// Contact is "no contact" and prints as the mask too. Do not make it the key of
// a map that is marshalled: encoding/json takes a string key as it is.
type Contact string

// Reveal returns the value itself.
func (c Contact) Reveal() string { return string(c) }

// String returns the mask.
func (Contact) String() string { return mask }

// GoString returns the mask.
func (Contact) GoString() string { return mask }

// Format writes the mask for every verb, %x and %q included.
func (Contact) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// LogValue returns the mask.
func (Contact) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns the mask: encoders of JSON, XML and YAML see no more. It
// has no opposite, because a mask cannot be read back.
func (Contact) MarshalText() ([]byte, error) { return []byte(mask), nil }

// MarshalJSON returns the mask as a JSON string.
func (Contact) MarshalJSON() ([]byte, error) { return []byte(`"` + mask + `"`), nil }
