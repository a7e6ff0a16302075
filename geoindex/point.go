package geoindex

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// grid is how many coordinate units make one degree. A unit is about 11 mm of
// latitude.
const grid = 10_000_000

const (
	maxLat = 90 * grid
	maxLng = 180 * grid
)

// Point is a position on WGS-84 in units of 1e-7 degree. The zero Point lies in
// the Gulf of Guinea and is valid. Longitude is -180° to 180°, both included and
// both the same meridian.
type Point struct {
	Lat, Lng int32
}

// At is the point nearest to a latitude and longitude in degrees, rounded to
// the grid. What is not on the earth (NaN too) gives a Point that is not Valid.
func At(lat, lng float64) Point {
	return Point{Lat: units(lat, 90), Lng: units(lng, 180)}
}

// units rounds degrees to the grid; beyond the bound it is math.MinInt32, which
// is outside of both ranges.
func units(degrees, bound float64) int32 {
	if !(math.Abs(degrees) <= bound) {
		return math.MinInt32
	}
	return int32(math.Round(degrees * grid))
}

// Valid says whether the point is on the earth.
func (p Point) Valid() bool {
	return p.Lat >= -maxLat && p.Lat <= maxLat && p.Lng >= -maxLng && p.Lng <= maxLng
}

// Degrees is the point's latitude and longitude in degrees.
func (p Point) Degrees() (lat, lng float64) {
	return float64(p.Lat) / grid, float64(p.Lng) / grid
}

// MarshalJSON gives [longitude, latitude] in degrees, the order of GeoJSON.
func (p Point) MarshalJSON() ([]byte, error) {
	lat, lng := p.Degrees()
	return json.Marshal([2]float64{lng, lat})
}

var errPosition = errors.New("is not a position [longitude, latitude]")

// UnmarshalJSON reads [longitude, latitude] in degrees and rounds it to the
// grid. A third number, an altitude, is refused: nothing here has a height.
func (p *Point) UnmarshalJSON(text []byte) error {
	var degrees []float64
	if err := json.Unmarshal(text, &degrees); err != nil || len(degrees) != 2 {
		return errPosition
	}
	q := At(degrees[1], degrees[0])
	if !q.Valid() {
		return fmt.Errorf("%w on the earth: longitude -180 to 180, latitude -90 to 90", errPosition)
	}
	*p = q
	return nil
}
