package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/crierd/crier/fanout"
)

// board shows how far a message is, by channel and wave: a bar for each channel
// on a terminal, a line a second for all elsewhere.
type board struct {
	term    *terminal
	message int
	names   []string
	said    time.Time
	all     *mpb.Progress
	bars    map[string]*mpb.Bar
	waves   sync.Map // text by channel, which the bars read as they like
}

func newBoard(term *terminal, s fanout.State, message int) *board {
	b := &board{term: term, message: message, bars: map[string]*mpb.Bar{}}
	counts := s.Messages[message-1].Channels
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name].Planned > 0 {
			b.names = append(b.names, name)
		}
	}
	if !term.bars {
		return b
	}
	b.all = mpb.New(mpb.WithOutput(term.log), mpb.WithWidth(32), mpb.WithRefreshRate(100*time.Millisecond))
	for _, name := range b.names {
		b.bars[name] = b.all.AddBar(int64(counts[name].Planned),
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-6s ", name)), decor.CountersNoUnit("%d/%d ")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				text, _ := b.waves.Load(name)
				return fmt.Sprint(text)
			})))
	}
	return b
}

// show brings the board up to date.
func (b *board) show(s fanout.State) {
	counts := s.Messages[b.message-1].Channels
	var line []string
	for _, name := range b.names {
		c := counts[name]
		line = append(line, fmt.Sprintf("%s %d/%d %s", name, c.Planned-c.Pending, c.Planned, waves(c)))
		if bar := b.bars[name]; bar != nil {
			b.waves.Store(name, waves(c))
			bar.SetCurrent(int64(c.Planned - c.Pending))
		}
	}
	if b.all == nil && time.Since(b.said) >= time.Second {
		b.said = time.Now()
		_, _ = fmt.Fprintln(b.term.log, "  "+strings.Join(line, "; "))
	}
}

// waves says how far each wave is, nearest first.
func waves(c fanout.Counts) string {
	var parts []string
	for _, w := range c.Waves {
		parts = append(parts, fmt.Sprintf("%d:%d%%", w.Number+1, 100*w.Left/max(1, w.Planned)))
	}
	return "waves " + strings.Join(parts, " ")
}

// end leaves the bars as they are.
func (b *board) end() {
	for _, bar := range b.bars {
		bar.Abort(false)
	}
	if b.all != nil {
		b.all.Wait()
	}
}
