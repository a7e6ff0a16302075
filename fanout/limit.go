package fanout

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// limit is a lane's token bucket. It starts empty: a bucket that starts full
// lets a program that restarts in a loop send a burst every time. One goroutine
// at a time uses it, the one that holds the lane's gate.
type limit struct {
	bucket *rate.Limiter // nil: no limit
	perSec float64
	burst  int
}

func newLimit(c Channel, now time.Time) *limit {
	if c.Rate == 0 {
		return &limit{burst: math.MaxInt}
	}
	l := &limit{bucket: rate.NewLimiter(rate.Limit(c.Rate), c.Burst), perSec: c.Rate, burst: c.Burst}
	l.bucket.AllowN(now, c.Burst)
	return l
}

// wait is how long until n units may leave; n is at most burst.
func (l *limit) wait(now time.Time, n int) time.Duration {
	if l.bucket == nil {
		return 0
	}
	missing := float64(n) - l.bucket.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(missing/l.perSec*float64(time.Second))) + time.Microsecond
}

// take spends n units, and says whether they were there.
func (l *limit) take(now time.Time, n int) bool {
	return l.bucket == nil || l.bucket.AllowN(now, n)
}

// eta is how long n units take.
func (l *limit) eta(n int) time.Duration {
	if l.bucket == nil {
		return 0
	}
	return time.Duration(float64(n) / l.perSec * float64(time.Second))
}
