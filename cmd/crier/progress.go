package main

import (
	"fmt"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far long work is: a bar on a terminal, a line now and then
// elsewhere. It is for one goroutine.
type progress struct {
	term  *terminal
	what  string
	total int
	begun time.Time
	said  time.Time
	all   *mpb.Progress // nil without a terminal
	bar   *mpb.Bar
}

const lineEvery = 2 * time.Second

// newProgress begins to show work of a total, 0 if that is not known.
func newProgress(term *terminal, what string, total int) *progress {
	p := &progress{term: term, what: what, total: total, begun: time.Now(), said: time.Now()}
	if term.bars {
		p.all = mpb.New(mpb.WithOutput(term.log), mpb.WithWidth(48))
		p.bar = p.all.AddBar(int64(total), mpb.PrependDecorators(decor.Name(what+" ")),
			mpb.AppendDecorators(decor.CountersNoUnit("%d / %d "), decor.Elapsed(decor.ET_STYLE_GO)))
	}
	return p
}

// at says how much is done.
func (p *progress) at(done int) {
	switch {
	case p.bar != nil:
		p.bar.SetCurrent(int64(done))
	case time.Since(p.said) >= lineEvery:
		p.said = time.Now()
		if p.total > 0 {
			p.line("%s: %d of %d", p.what, done, p.total)
		} else {
			p.line("%s: %d", p.what, done)
		}
	}
}

// done ends it, and says how long it took.
func (p *progress) done(count int) {
	if p.bar != nil {
		p.bar.SetTotal(int64(count), true)
		p.all.Wait()
	}
	p.line("%s: %d in %v", p.what, count, time.Since(p.begun).Round(time.Millisecond))
}

func (p *progress) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.term.log, format+"\n", args...)
}
