package geoindex

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrNotBuilt is what an [*AreaError] stands for that refuses a kind of area of
// the contract which this version does not have yet.
var ErrNotBuilt = errors.New("geoindex: kind of area is not built yet")

// AreaError refuses an area. Path is a JSON path within it, such as
// "geometry.coordinates[0][3]".
type AreaError struct {
	Path    string
	Message string
	Err     error // what it stands for, ErrNotBuilt say; or nil
}

// Error names the part of the area.
func (e *AreaError) Error() string { return e.Path + ": " + e.Message }

// Unwrap gives what it stands for.
func (e *AreaError) Unwrap() error { return e.Err }

func refuse(path, format string, args ...any) error {
	return &AreaError{Path: path, Message: fmt.Sprintf(format, args...)}
}

// Area is a part of the earth as a value: it can be stored, compared and
// digested, and is prepared once for each query. The zero Area is no area at all,
// and is refused wherever one is needed. An Area is immutable and safe for
// concurrent use.
type Area struct {
	kind     areaKind
	center   Point   // of a circle
	meters   float64 // its radius
	polygons polygons
	multi    bool // was given as a MultiPolygon; says how its parts are called in errors
}

type areaKind uint8

const (
	noArea areaKind = iota
	circleArea
	polygonArea
)

// Circle is all points whose geodesic distance from a centre is no more than a
// radius in metres.
func Circle(center Point, meters float64) Area {
	return Area{kind: circleArea, center: center, meters: meters}
}

// Polygon is what an outer ring encloses, less what the further rings, its holes,
// enclose; all rings themselves belong to it. Edges are straight in longitude and
// latitude (RFC 7946). Rings may run either way round, and repeat their first
// point at the end or not. The points are copied.
func Polygon(rings ...[]Point) Area {
	a := MultiPolygon(rings)
	a.multi = false
	return a
}

// MultiPolygon is several polygons that do not lie over each other, each as in
// [Polygon].
func MultiPolygon(parts ...[][]Point) Area {
	a := Area{kind: polygonArea, multi: true}
	for _, rings := range parts {
		if len(rings) == 0 {
			continue
		}
		var polygon []ring
		for _, points := range rings {
			polygon = append(polygon, tidy(points))
		}
		a.polygons = append(a.polygons, polygon)
	}
	return a
}

// IsZero says whether it is no area at all.
func (a Area) IsZero() bool { return a.kind == noArea }

// Center is a circle's centre, or the middle of the box of a polygon's outer
// ring, of the largest if there are several. It may lie outside of the area. The
// zero Point if there is no area.
func (a Area) Center() Point {
	if a.kind == circleArea {
		return a.center
	}
	var largest ring
	for _, rings := range a.polygons {
		if len(rings[0]) > 0 && (largest == nil || math.Abs(rings[0].area()) > math.Abs(largest.area())) {
			largest = rings[0]
		}
	}
	if largest == nil {
		return Point{}
	}
	b := Box{largest[0], largest[0]}
	for _, p := range largest {
		b = b.union(Box{p, p})
	}
	return Point{int32((int64(b.Min.Lat) + int64(b.Max.Lat)) / 2), int32((int64(b.Min.Lng) + int64(b.Max.Lng)) / 2)}
}

// AppendCanonical appends the area in a form in which equal areas are equal
// bytes, wherever their rings begin, whichever way they run and in whatever order
// holes and polygons were given.
func (a Area) AppendCanonical(dst []byte) []byte {
	dst = append(dst, byte(a.kind))
	switch a.kind {
	case circleArea:
		dst = appendPoint(dst, a.center)
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(a.meters))
	case polygonArea:
		var parts [][]byte
		for _, rings := range a.polygons {
			part := appendRing(nil, rings[0].normal(false))
			var holes [][]byte
			for _, hole := range rings[1:] {
				holes = append(holes, appendRing(nil, hole.normal(true)))
			}
			parts = append(parts, appendParts(part, holes))
		}
		return appendParts(dst, parts)
	}
	return dst
}

// Equal says whether two areas have one canonical form.
func (a Area) Equal(b Area) bool {
	return bytes.Equal(a.AppendCanonical(nil), b.AppendCanonical(nil))
}

func appendPoint(dst []byte, p Point) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, uint32(p.Lng)), uint32(p.Lat))
}

func appendRing(dst []byte, r ring) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r)))
	for _, p := range r {
		dst = appendPoint(dst, p)
	}
	return dst
}

func appendParts(dst []byte, parts [][]byte) []byte {
	slices.SortFunc(parts, bytes.Compare)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(parts)))
	return append(dst, bytes.Join(parts, nil)...)
}

// Limits bounds what an area may be. The zero Limits is right.
type Limits struct {
	Vertices int     // of all rings. default: 10,000
	Rings    int     // default: 1,000
	Radius   float64 // of a circle, metres. default: 500,000
	Area     float64 // of a polygon's outer rings, square kilometres on the sphere, holes not taken off, to a few percent. default: 200,000
}

func (l Limits) withDefaults() Limits {
	l.Vertices = cmp.Or(l.Vertices, 10_000)
	l.Rings = cmp.Or(l.Rings, 1_000)
	l.Radius = cmp.Or(l.Radius, 500_000)
	l.Area = cmp.Or(l.Area, 200_000)
	return l
}

// Prepare checks the area and makes a [Shape] of it: a few microseconds for a
// circle or a simple polygon, a millisecond for ten thousand vertices. What is
// wrong is an [*AreaError] that names ring and vertex.
func (a Area) Prepare(l Limits) (Shape, error) {
	l = l.withDefaults()
	switch a.kind {
	case circleArea:
		switch {
		case !a.center.Valid():
			return nil, refuse("circle.center", "is not a position on the earth")
		case !(a.meters > 0): // NaN too
			return nil, refuse("circle.radius_m", "is not above 0")
		case a.meters > l.Radius:
			return nil, refuse("circle.radius_m", "is %.0f m, at most %.0f", a.meters, l.Radius)
		}
		return newCircle(a.center, a.meters), nil
	case polygonArea:
		edges, err := a.polygons.check(a.multi, l)
		if err != nil {
			return nil, err
		}
		return newPolygon(edges), nil
	}
	return nil, refuse("area", "is missing")
}
