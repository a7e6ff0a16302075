package geoindex

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// areaJSON is an area in the contract: exactly one of these.
type areaJSON struct {
	Circle     *circleJSON    `json:"circle,omitempty"`
	Geometry   *geometryJSON  `json:"geometry,omitempty"`
	Corridor   jsontext.Value `json:"corridor,omitempty"`
	Regions    jsontext.Value `json:"regions,omitempty"`
	Postcodes  jsontext.Value `json:"postcodes,omitempty"`
	Union      jsontext.Value `json:"union,omitempty"`
	Difference jsontext.Value `json:"difference,omitempty"`
}

type circleJSON struct {
	Center *Point   `json:"center"`
	Radius *float64 `json:"radius_m"`
}

// geometryJSON is a GeoJSON geometry (RFC 7946, 3.1).
type geometryJSON struct {
	Type        string         `json:"type"`
	Coordinates jsontext.Value `json:"coordinates"`
}

// MarshalJSON gives the contract's form, rings closed. The zero Area is null.
func (a Area) MarshalJSON() ([]byte, error) {
	switch a.kind {
	case circleArea:
		return json.Marshal(areaJSON{Circle: &circleJSON{&a.center, &a.meters}})
	case polygonArea:
		parts := make([][][]Point, len(a.polygons))
		for i, rings := range a.polygons {
			for _, r := range rings {
				parts[i] = append(parts[i], closed(r))
			}
		}
		g := geometryJSON{Type: "MultiPolygon"}
		var coordinates any = parts
		if !a.multi && len(parts) == 1 {
			g.Type, coordinates = "Polygon", parts[0]
		}
		var err error
		if g.Coordinates, err = json.Marshal(coordinates); err != nil {
			return nil, err
		}
		return json.Marshal(areaJSON{Geometry: &g})
	}
	return []byte("null"), nil
}

func closed(r ring) []Point {
	if len(r) == 0 {
		return []Point{}
	}
	return append(r[:len(r):len(r)], r[0])
}

// UnmarshalJSON reads an area. Anything that is not in the contract is refused
// with an [*AreaError]: unknown members, duplicate ones, rings that are not
// closed. What the area is as a figure is checked by [Area.Prepare].
func (a *Area) UnmarshalJSON(text []byte) error {
	var in areaJSON
	if err := json.Unmarshal(text, &in, json.RejectUnknownMembers(true)); err != nil {
		return decodeError("", err)
	}
	unbuilt := map[string]jsontext.Value{
		"corridor": in.Corridor, "regions": in.Regions, "postcodes": in.Postcodes, "union": in.Union, "difference": in.Difference,
	}
	for name, value := range unbuilt {
		if value == nil {
			delete(unbuilt, name)
		}
	}
	n := len(unbuilt)
	if in.Circle != nil {
		n++
	}
	if in.Geometry != nil {
		n++
	}
	if n != 1 {
		return refuse("area", "has %d of circle, geometry, corridor, regions, postcodes, union and difference, not one", n)
	}
	for name := range unbuilt {
		return &AreaError{Path: name, Message: "is not built yet: give a circle or a geometry", Err: ErrNotBuilt}
	}
	if in.Circle != nil {
		return a.decodeCircle(in.Circle)
	}
	return a.decodeGeometry(in.Geometry)
}

func (a *Area) decodeCircle(in *circleJSON) error {
	switch {
	case in.Center == nil:
		return refuse("circle.center", "is required")
	case in.Radius == nil:
		return refuse("circle.radius_m", "is required")
	}
	*a = Circle(*in.Center, *in.Radius)
	return nil
}

func (a *Area) decodeGeometry(in *geometryJSON) error {
	const path = "geometry.coordinates"
	if in.Coordinates == nil {
		return refuse(path, "is required")
	}
	var parts [][][]Point
	switch in.Type {
	case "Polygon":
		var rings [][]Point
		if err := json.Unmarshal(in.Coordinates, &rings); err != nil {
			return decodeError(path, err)
		}
		parts = [][][]Point{rings}
	case "MultiPolygon":
		if err := json.Unmarshal(in.Coordinates, &parts); err != nil {
			return decodeError(path, err)
		}
	default:
		return refuse("geometry.type", "is not Polygon or MultiPolygon")
	}
	multi := in.Type == "MultiPolygon"
	for i, rings := range parts {
		for j, points := range rings {
			if n := len(points); n == 0 || points[0] != points[n-1] {
				return refuse(vertexPath(polygons(nil).where(multi, i, j), max(0, n-1)), "is not the first point again: the ring is not closed")
			}
		}
	}
	*a = MultiPolygon(parts...)
	a.multi = multi
	return nil
}

// decodeError says where in an area JSON could not be read.
func decodeError(path string, err error) error {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	where, reason := jsontext.Pointer(""), err.Error()
	switch {
	case errors.As(err, &semantic):
		where = semantic.JSONPointer
		switch {
		case errors.Is(err, json.ErrUnknownName):
			reason = "is not a member that is known here"
		case semantic.Err != nil:
			reason = semantic.Err.Error()
		default:
			reason = "has the wrong type"
		}
	case errors.As(err, &syntactic):
		where, reason = syntactic.JSONPointer, syntactic.Err.Error()
	}
	for token := range where.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			path += "[" + token + "]"
		} else {
			path += "." + token
		}
	}
	return &AreaError{Path: strings.TrimPrefix(path, "."), Message: reason}
}
