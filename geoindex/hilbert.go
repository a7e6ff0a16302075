package geoindex

// Hilbert ranks a point along a Hilbert curve over the whole earth of 16 bits an
// axis, cells of some 300 by 600 m: points that are near in rank are near on the
// earth. It is for ordering things that lie together; it is not an identity.
func Hilbert(p Point) uint32 {
	return hilbert(uint32(uint64(int64(p.Lng)+maxLng)*0xffff/(2*maxLng)), uint32(uint64(int64(p.Lat)+maxLat)*0xffff/(2*maxLat)))
}

// hilbert is the distance of (x, y), 16 bits each, along the curve. (Skilling's
// transform in two dimensions: undo the curve's rotations from the highest bit
// down.)
func hilbert(x, y uint32) uint32 {
	var d uint32
	for s := uint32(1 << 15); s > 0; s >>= 1 {
		var rx, ry uint32
		if x&s != 0 {
			rx = 1
		}
		if y&s != 0 {
			ry = 1
		}
		d = d<<2 | (3*rx ^ ry)
		if ry == 0 {
			if rx == 1 {
				x, y = ^x, ^y
			}
			x, y = y, x
		}
	}
	return d
}

// curve ranks points of a box, finely however small it is.
type curve struct {
	min            Point
	scaleX, scaleY float64
}

func newCurve(b Box) curve {
	width, height := int64(b.Max.Lng)-int64(b.Min.Lng)+1, int64(b.Max.Lat)-int64(b.Min.Lat)+1
	return curve{b.Min, float64(1<<16) / float64(width), float64(1<<16) / float64(height)}
}

func (c curve) rank(p Point) uint32 {
	x := float64(int64(p.Lng)-int64(c.min.Lng)) * c.scaleX
	y := float64(int64(p.Lat)-int64(c.min.Lat)) * c.scaleY
	return hilbert(uint32(x), uint32(y))
}
