package geoindex_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/crierd/crier/geoindex"
)

func ExampleIndex() {
	var ix geoindex.Index
	ix.Load([]geoindex.Entry{
		{Point: geoindex.At(52.3731, 4.8926), Key: 1}, // Dam
		{Point: geoindex.At(52.3791, 4.9003), Key: 2}, // Centraal Station
		{Point: geoindex.At(51.9244, 4.4777), Key: 3}, // Rotterdam
	})
	ix.Update(func(e *geoindex.Edit) {
		e.Remove(geoindex.Entry{Point: geoindex.At(52.3791, 4.9003), Key: 2})
		e.Add(geoindex.Entry{Point: geoindex.At(52.3600, 4.8852), Key: 4}) // Rijksmuseum
	})
	shape, err := geoindex.Circle(geoindex.At(52.3676, 4.9041), 2500).Prepare(geoindex.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for entry := range ix.Snapshot().Within(shape) {
		fmt.Println(entry.Key)
	}
	// Unordered output:
	// 1
	// 4
}

func ExampleSnapshot_Runs() {
	var ix geoindex.Index
	ix.Load([]geoindex.Entry{{Point: geoindex.At(52.3731, 4.8926), Key: 7, Class: 3}})
	shape, _ := geoindex.Circle(geoindex.At(52.3731, 4.8926), 50).Prepare(geoindex.Limits{})
	var scratch geoindex.Scratch // keep it for the next query
	for run := range ix.Snapshot().Runs(shape, &scratch) {
		for i, key := range run.Key {
			fmt.Println(key, run.Class[i], run.Covered)
		}
	}
	// Output: 7 3 true
}

func ExampleEdit_Remove() {
	var ix geoindex.Index
	ix.Update(func(e *geoindex.Edit) {
		entry := geoindex.Entry{Point: geoindex.At(52, 5), Key: 1}
		e.Add(entry)
		fmt.Println(e.Remove(entry), e.Remove(entry))
	})
	// Output: true false
}

func ExampleArea() {
	var area geoindex.Area
	err := json.Unmarshal([]byte(`{"circle": {"center": [4.9041, 52.3676], "radius_m": 2500}}`), &area)
	fmt.Println(err, area.Equal(geoindex.Circle(geoindex.At(52.3676, 4.9041), 2500)))
	// Output: <nil> true
}

func ExampleArea_Prepare() {
	bowTie := geoindex.Polygon([]geoindex.Point{
		geoindex.At(0, 0), geoindex.At(1, 1), geoindex.At(0, 1), geoindex.At(1, 0),
	})
	_, err := bowTie.Prepare(geoindex.Limits{Vertices: 100})
	var refused *geoindex.AreaError
	fmt.Println(errors.As(err, &refused))
	fmt.Println(refused.Path)
	// Output:
	// true
	// geometry.coordinates[0][0]
}

func ExampleDistance() {
	amsterdam, rotterdam := geoindex.At(52.3676, 4.9041), geoindex.At(51.9244, 4.4777)
	fmt.Printf("%.3f m\n", geoindex.Distance(amsterdam, rotterdam))
	// Output: 57305.565 m
}

func ExampleBands() {
	bands := geoindex.NewBands(geoindex.At(52.3676, 4.9041), []float64{500, 1000, 2500})
	fmt.Println(bands.Of(geoindex.At(52.3690, 4.9041)), bands.Of(geoindex.At(52.3731, 4.8926)), bands.Of(geoindex.At(51.9, 4.5)))
	// Output: 0 1 3
}

func ExampleShape() {
	square := geoindex.Polygon([]geoindex.Point{{Lat: 0, Lng: 0}, {Lat: 0, Lng: 10}, {Lat: 10, Lng: 10}, {Lat: 10, Lng: 0}})
	shape, _ := square.Prepare(geoindex.Limits{})
	fmt.Println(shape.Bound(), shape.Contains(geoindex.Point{Lat: 10, Lng: 5}))
	fmt.Println(shape.Relate(geoindex.Box{Min: geoindex.Point{Lat: 11, Lng: 0}, Max: geoindex.Point{Lat: 20, Lng: 9}}) == geoindex.Disjoint)
	// Output:
	// [{{0 0} {10 10}}] true
	// true
}

func ExampleHilbert() {
	dam, station, rotterdam := geoindex.At(52.3731, 4.8926), geoindex.At(52.3791, 4.9003), geoindex.At(51.9244, 4.4777)
	apart := func(a, b geoindex.Point) int64 { return int64(geoindex.Hilbert(a)) - int64(geoindex.Hilbert(b)) }
	near, far := apart(dam, station), apart(dam, rotterdam)
	fmt.Println(near*near < far*far)
	// Output: true
}
