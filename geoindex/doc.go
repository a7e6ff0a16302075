// Package geoindex gets from an area to keys, fast and exact. It knows nothing of
// people, time or messages.
//
// # Use
//
// An [Index] holds entries: a point on a grid of 1e-7 degree, a key and a class,
// both opaque. [Index.Load] fills it, [Index.Update] changes it, and
// [Index.Snapshot] is what readers ask. An [Area], a circle or polygons, is a
// value; [Area.Prepare] checks it and makes a [Shape], once a query.
// [Snapshot.Within] yields the entries in a shape; [Snapshot.Runs] does so in
// columns, without a look at points that need none, and is what to use where
// microseconds count.
//
// # Exactness
//
// Answers are those of brute force, boundaries included. A polygon's edges are
// straight in longitude and latitude (RFC 7946) and decided in integers. A circle
// is the set of points within a geodesic distance on the WGS-84 ellipsoid: cheap
// bounds decide nearly all of them, and [Distance] the rest.
//
// # How
//
// Points lie in blocks of some 64, blocks with their boxes side by side in pages
// of some 48, and pages in an R-tree (github.com/tidwall/rtree). A block that
// lies in the area whole is handed over as it is; only those on its edge have
// their points tested. A change copies a block, a page and a short path of the
// tree. On 2.6 million clustered points that is some 18 bytes a point as loaded;
// where much has changed, some 23 have been measured.
//
// # Concurrency
//
// Snapshots and shapes are immutable. Readers never wait; changes go one after
// another.
//
// # Caveats
//
// Corridors, regions, postcodes, unions and differences of the contract are
// refused with [ErrNotBuilt]. A circle so large or so near a pole that its
// latitudes or longitudes span more than some 60 degrees is exact, but has its
// points measured one by one.
package geoindex
