package fanout

import (
	"sync"

	"github.com/crierd/crier/store"
)

// links knows which participants share a contact: a household's telephone or
// mailbox gets one message, however many of its people are told. It is safe for
// concurrent use.
type links struct {
	mu    sync.RWMutex                 // guards group
	group map[string]map[uint32]uint32 // by channel and ordinal
}

func (l *links) apply(changes []store.Link) {
	if len(changes) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.group == nil {
		l.group = map[string]map[uint32]uint32{}
	}
	for _, c := range changes {
		if c.Gone {
			delete(l.group[c.Channel], uint32(c.Ordinal))
			continue
		}
		if l.group[c.Channel] == nil {
			l.group[c.Channel] = map[uint32]uint32{}
		}
		l.group[c.Channel][uint32(c.Ordinal)] = c.Group
	}
}

// duplicates lists which of the recipients of a channel share its contact with
// one that stands before them.
func (l *links) duplicates(channel string, recipients []uint32) []uint32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	group := l.group[channel]
	var dup []uint32
	seen := map[uint32]bool{}
	for _, ordinal := range recipients {
		g, shared := group[ordinal]
		if shared && seen[g] {
			dup = append(dup, ordinal)
		}
		seen[g] = seen[g] || shared
	}
	return dup
}

// any says whether a channel has shared contacts at all.
func (l *links) any(channel string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.group[channel]) > 0
}
