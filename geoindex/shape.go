package geoindex

// Box is a closed rectangle of latitude and longitude. Min is its south-west
// corner; it never crosses the antimeridian, so Min.Lng <= Max.Lng. The zero Box
// is the single point zero.
type Box struct {
	Min, Max Point
}

// Contains says whether p lies in the box or on its boundary.
func (b Box) Contains(p Point) bool {
	return p.Lat >= b.Min.Lat && p.Lat <= b.Max.Lat && p.Lng >= b.Min.Lng && p.Lng <= b.Max.Lng
}

// Intersects says whether the boxes share at least a point.
func (b Box) Intersects(o Box) bool {
	return b.Min.Lat <= o.Max.Lat && o.Min.Lat <= b.Max.Lat && b.Min.Lng <= o.Max.Lng && o.Min.Lng <= b.Max.Lng
}

// Relation is how a shape lies to a box.
type Relation uint8

// The relations. Disjoint and Covers are certain: no point of the box is in the
// shape, or every one is. Overlaps promises nothing.
const (
	Disjoint Relation = iota
	Overlaps
	Covers
)

// Shape is an area prepared for a query. It is immutable and safe for
// concurrent use.
type Shape interface {
	// Bound lists one or two boxes outside of which the shape has no point; two
	// for what crosses the antimeridian, and they share no point. Empty: no
	// point at all.
	Bound() []Box
	// Relate may say Overlaps of any box, but is the better the less it does.
	Relate(Box) Relation
	// Contains is exact, boundary included.
	Contains(Point) bool
}

// filter is what a shape of this package does better than point by point: it
// writes the positions in lat and lng (of equal length, at most 65,536) of the
// points it contains to out, ascending, and returns how many there are. out has
// room for all of them, and one more so that a loop may write before it knows.
type filter interface {
	filter(lat, lng []int32, out []uint16) int
}
