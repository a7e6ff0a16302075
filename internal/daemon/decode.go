package daemon

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/crierd/crier/geoindex"
)

// decode reads a body strictly: unknown members, duplicate ones, invalid UTF-8
// and anything behind the value are refused. An error says where, and never
// repeats what was there.
func decode[T any](body []byte) (T, error) {
	var v T
	err := json.Unmarshal(body, &v, json.RejectUnknownMembers(true))
	if err == nil {
		return v, nil
	}
	var area *geoindex.AreaError
	if errors.As(err, &area) {
		return v, err
	}
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntactic):
		return v, refuse(http.StatusBadRequest, location(syntactic.JSONPointer), "%v", syntactic.Err)
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		return v, refuse(http.StatusUnprocessableEntity, location(semantic.JSONPointer), "is not a member that is known here")
	case errors.As(err, &semantic):
		return v, refuse(http.StatusUnprocessableEntity, location(semantic.JSONPointer), "%s", reason(semantic))
	}
	return v, refuse(http.StatusBadRequest, "body", "is not JSON")
}

// reason is what is wrong with a value, in words that do not hold it.
func reason(err *json.SemanticError) string {
	switch {
	case err.Err != nil:
		return err.Err.Error()
	case err.JSONKind != 0:
		return "has the wrong type: " + err.JSONKind.String()
	}
	return "cannot be read"
}

// location writes a JSON pointer as a path, "body.places[0].point".
func location(p jsontext.Pointer) string {
	path := "body"
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			path += "[" + token + "]"
		} else {
			path += "." + strings.ToValidUTF8(token, "?")
		}
	}
	return path
}
