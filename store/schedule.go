package store

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Schedule says when a participant may be reached about a place: always, or in
// weekly windows of local time, to the minute. The zero Schedule is "not said"
// and is refused at enrolment. A Schedule is an immutable value and safe for
// concurrent use.
//
// The grammar is a small part of OSM's opening_hours: "always", or rules
// separated by ";", which add up. A rule is days ("Mo", "Mo-Fr", "Fr-Mo",
// "Sa,Su"), a space, and spans "HH:MM-HH:MM" separated by ",". A span's end may
// be 24:00; an end at or before its start is on the next day.
type Schedule struct {
	text  string   // canonical: equal schedules have equal text
	spans []window // ascending, apart from each other; nil for always
}

// window is [from, to) in minutes since Monday 00:00, within one week.
type window struct{ from, to int }

const (
	day  = 24 * 60
	week = 7 * day
)

var days = [...]string{"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"}

const always = "always"

// ScheduleError refuses a schedule.
type ScheduleError struct {
	Column  int // in bytes, from 1
	Message string
}

// Error names the column.
func (e *ScheduleError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Message) }

// ParseSchedule reads a schedule, or says with a [*ScheduleError] which column
// it cannot read.
func ParseSchedule(text string) (Schedule, error) {
	if strings.TrimSpace(text) == always {
		return Always(), nil
	}
	p := scheduleParser{text: text}
	for {
		if err := p.rule(); err != nil {
			return Schedule{}, err
		}
		if p.blank(); p.at == len(text) {
			break
		}
		if !p.eat(';') {
			return Schedule{}, p.fail("';' or the end is expected")
		}
	}
	return newSchedule(p.spans), nil
}

// Always is the schedule of who may be reached at any time.
func Always() Schedule { return Schedule{text: always} }

// newSchedule joins spans that touch. A whole week is always.
func newSchedule(spans []window) Schedule {
	slices.SortFunc(spans, func(a, b window) int { return a.from - b.from })
	joined := spans[:0]
	for _, s := range spans {
		if n := len(joined); n > 0 && s.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	if len(joined) == 1 && joined[0] == (window{0, week}) {
		return Always()
	}
	return Schedule{text: describe(joined), spans: joined}
}

// IsZero says whether no schedule was given.
func (s Schedule) IsZero() bool { return s.text == "" }

// String is the canonical text: parsing it gives an equal Schedule, and equal
// Schedules give equal text.
func (s Schedule) String() string { return s.text }

// MarshalText gives the canonical text.
func (s Schedule) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// UnmarshalText is [ParseSchedule].
func (s *Schedule) UnmarshalText(text []byte) error {
	parsed, err := ParseSchedule(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// Open says whether a window is open at t, in t's time zone. A window holds its
// first minute and not its last. In the night the clock goes back, both of the
// hours that have the same name count; in the other, the hour left out is
// nobody's. The zero Schedule is never open.
func (s Schedule) Open(t time.Time) bool { return s.OpenAt(MinuteOf(t)) }

// Minute is a minute of the week, from Monday 00:00, in local time.
type Minute int

// MinuteOf is the minute of t in t's time zone. Whoever judges many schedules at
// one instant asks once.
func MinuteOf(t time.Time) Minute {
	hour, minute, _ := t.Clock()
	return Minute((int(t.Weekday())+6)%7*day + hour*60 + minute)
}

// OpenAt is [Schedule.Open] at a minute.
func (s Schedule) OpenAt(m Minute) bool {
	if s.spans == nil {
		return s.text == always
	}
	return s.at(int(m)) >= 0
}

// Until is when the window that is open at t closes; zero if it never does.
// Call it only of a Schedule that is Open at t.
func (s Schedule) Until(t time.Time) time.Time {
	for s.spans != nil {
		now := int(MinuteOf(t))
		i := s.at(now)
		if i < 0 {
			return t
		}
		left := s.spans[i].to - now
		if s.spans[i].to == week && s.spans[0].from == 0 {
			left += s.spans[0].to // over the night to Monday
		}
		past := time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
		end := t.Add(time.Duration(left)*time.Minute - past)
		_, change := t.ZoneBounds()
		if change.IsZero() || !end.After(change) {
			return end
		}
		t = change // the clock is put forward or back before that: look again from there
	}
	return time.Time{}
}

// at is the number of the span that holds a minute of the week, -1 if none.
func (s Schedule) at(minute int) int {
	for i, w := range s.spans {
		if minute >= w.from && minute < w.to {
			return i
		}
	}
	return -1
}

// scheduleParser reads rules from left to right.
type scheduleParser struct {
	text  string
	at    int
	spans []window
}

func (p *scheduleParser) fail(format string, args ...any) error {
	return &ScheduleError{Column: p.at + 1, Message: fmt.Sprintf(format, args...)}
}

func (p *scheduleParser) blank() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

func (p *scheduleParser) eat(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// rule reads days and their spans.
func (p *scheduleParser) rule() error {
	var on [7]bool
	for {
		if err := p.dayRange(&on); err != nil {
			return err
		}
		if !p.eat(',') {
			break
		}
	}
	if !p.eat(' ') {
		return p.fail("a space and times are expected")
	}
	for {
		p.blank()
		w, err := p.span()
		if err != nil {
			return err
		}
		for d, yes := range on {
			if yes {
				p.add(d*day+w.from, d*day+w.to)
			}
		}
		if !p.eat(',') {
			return nil
		}
	}
}

// add takes in a span that may run into the next week.
func (p *scheduleParser) add(from, to int) {
	if to > week {
		p.spans = append(p.spans, window{0, to - week})
		to = week
	}
	p.spans = append(p.spans, window{from, to})
}

func (p *scheduleParser) dayRange(on *[7]bool) error {
	first, err := p.day()
	if err != nil {
		return err
	}
	last := first
	if p.eat('-') {
		if last, err = p.day(); err != nil {
			return err
		}
	}
	for d := first; ; d = (d + 1) % 7 {
		on[d] = true
		if d == last {
			return nil
		}
	}
}

func (p *scheduleParser) day() (int, error) {
	p.blank()
	for d, name := range days {
		if strings.HasPrefix(p.text[p.at:], name) {
			p.at += len(name)
			return d, nil
		}
	}
	return 0, p.fail("a day is expected: one of %v, or the whole text is %q", days, always)
}

// span reads "HH:MM-HH:MM", in minutes of its first day.
func (p *scheduleParser) span() (window, error) {
	from, err := p.time(day - 1)
	if err != nil {
		return window{}, err
	}
	if !p.eat('-') {
		return window{}, p.fail("'-' is expected")
	}
	to, err := p.time(day)
	if err != nil {
		return window{}, err
	}
	if to == from {
		return window{}, &ScheduleError{Column: p.at - 4, Message: "the window is empty: write 00:00-24:00 for a whole day"}
	}
	if to < from {
		to += day
	}
	return window{from, to}, nil
}

func (p *scheduleParser) time(most int) (int, error) {
	t := p.text[p.at:]
	digit := func(i int) int { return int(t[i] - '0') }
	if len(t) < 5 || t[2] != ':' || !isDigits(t[:2]) || !isDigits(t[3:5]) {
		return 0, p.fail("a time HH:MM is expected")
	}
	hour, minute := digit(0)*10+digit(1), digit(3)*10+digit(4)
	if minute > 59 || hour*60+minute > most {
		return 0, p.fail("%s is not a time of the day", t[:5])
	}
	p.at += 5
	return hour*60 + minute, nil
}

func isDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// describe writes spans as rules: days with the same times together, in the
// order of their first day. A span of a day or more is cut at midnight.
func describe(spans []window) string {
	var times [7]string
	note := func(from, to int) {
		d, start := from/day%7, from%day
		end := start + to - from
		if end > day {
			end -= day
		}
		if times[d] != "" {
			times[d] += ","
		}
		times[d] += clock(start) + "-" + clock(end)
	}
	for _, s := range unwrapped(spans) {
		for s.to-s.from >= day {
			midnight := (s.from/day + 1) * day
			note(s.from, midnight)
			s.from = midnight
		}
		if s.to > s.from {
			note(s.from, s.to)
		}
	}
	return rules(times)
}

// unwrapped joins the span that ends the week to the one that begins it.
func unwrapped(spans []window) []window {
	n := len(spans)
	if n < 2 || spans[0].from != 0 || spans[n-1].to != week {
		return spans
	}
	joined := slices.Clone(spans[1:])
	joined[n-2].to += spans[0].to
	return joined
}

func clock(minute int) string {
	return string([]byte{
		'0' + byte(minute/600), '0' + byte(minute/60%10), ':',
		'0' + byte(minute%60/10), '0' + byte(minute%10),
	})
}

func rules(times [7]string) string {
	var b strings.Builder
	for d, t := range times {
		if t == "" || slices.Contains(times[:d], t) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		for first := d; first < 7; first++ {
			if times[first] != t {
				continue
			}
			last := first
			for last < 6 && times[last+1] == t {
				last++
			}
			if first > d {
				b.WriteByte(',')
			}
			b.WriteString(days[first])
			if last > first {
				b.WriteString("-" + days[last])
			}
			first = last
		}
		b.WriteString(" " + t)
	}
	return b.String()
}
