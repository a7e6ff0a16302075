package geoindex

import "math"

// The series of Karney (2013), equations 17, 18, 24, 25, 42 and 43, to the sixth
// order in the small parameter eps.

// epsOf is eps of k squared (equation 16), without loss for small k.
func epsOf(k2 float64) float64 { return k2 / (2*(1+math.Sqrt(1+k2)) + k2) }

// sinSeries sums c[i] sin(2(i+1)x) by Clenshaw's method, of sin x and cos x.
func sinSeries(sin, cos float64, c []float64) float64 {
	ar := 2 * (cos - sin) * (cos + sin) // 2 cos 2x
	var y0, y1 float64
	for i := len(c) - 1; i >= 0; i-- {
		y0, y1 = ar*y0-y1+c[i], y0
	}
	return 2 * sin * cos * y0
}

// a1m1 is A1 - 1.
func a1m1(eps float64) float64 {
	x := eps * eps
	return (x*(64+x*(4+x))/256 + eps) / (1 - eps)
}

// a2m1 is A2 - 1.
func a2m1(eps float64) float64 {
	x := eps * eps
	return (x*(-192+x*(-28-11*x))/256 - eps) / (1 + eps)
}

func c1(eps float64) [6]float64 {
	x, d := eps*eps, eps
	var c [6]float64
	for i, v := range [6]float64{
		(-16 + x*(6-x)) / 32, (-128 + x*(64-9*x)) / 2048, (-16 + 9*x) / 768,
		(-5 + 3*x) / 512, -7.0 / 1280, -7.0 / 2048,
	} {
		c[i] = d * v
		d *= eps
	}
	return c
}

func c2(eps float64) [6]float64 {
	x, d := eps*eps, eps
	var c [6]float64
	for i, v := range [6]float64{
		(16 + x*(2+x)) / 32, (384 + x*(64+35*x)) / 2048, (80 + 15*x) / 768,
		(35 + 7*x) / 512, 63.0 / 1280, 77.0 / 2048,
	} {
		c[i] = d * v
		d *= eps
	}
	return c
}

func a3(eps float64) float64 {
	const n = thirdFlat
	return 1 + eps*((n-1)/2+eps*((n*(3*n-1)-2)/8+eps*((n*(-n-3)-1)/16+eps*((-2*n-3)/64+eps*(-3.0/128)))))
}

func c3(eps float64) [5]float64 {
	const n = thirdFlat
	e2 := eps * eps
	return [5]float64{
		eps * ((1-n)/4 + eps*((1-n*n)/8+eps*((3+n*(3-n))/64+eps*((5+2*n)/128+eps*3/128)))),
		e2 * ((2+n*(n-3))/32 + eps*((3-n*(2+3*n))/64+eps*((3+n)/128+eps*5/256))),
		e2 * eps * ((5+n*(5*n-9))/192 + eps*((9-10*n)/384+eps*7/512)),
		e2 * e2 * ((7-14*n)/512 + eps*7/512),
		e2 * e2 * eps * 21 / 2560,
	}
}
