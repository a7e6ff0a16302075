package store_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crierd/crier/store"
)

// bySchedule makes one class for each schedule.
func bySchedule(p *store.Participant) [][]byte {
	var classes [][]byte
	for _, place := range p.Places {
		classes = append(classes, []byte(place.Schedule.String()))
	}
	return classes
}

func Example() {
	st, err := store.Open("data", &store.Config{FS: vfs.NewMem(), Key: make([]byte, store.KeyBytes)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = st.Close() }()
	err = st.Update(context.Background(), func(tx *store.Tx) error {
		p := &store.Participant{
			ID: "p1", Contacts: map[string]string{"sms": "+31612345678"},
			Places: []store.Place{{Point: &store.Position{Lat: 523731000, Lng: 48926000}, Channels: []string{"sms"}, Schedule: store.Always()}},
		}
		changes, err := tx.Put(p, bySchedule, false)
		if err != nil {
			return err
		}
		tx.Audit(store.AuditRecord{At: time.Now(), Actor: "example", Verb: "put", Subject: p.ID})
		tx.OnApply(func() { fmt.Println("ordinal", changes[0].Ordinal, "created", changes[0].Created) })
		return nil
	})
	fmt.Println(err, st.Stats().Participants, string(st.Class(0)))
	// Output:
	// ordinal 0 created true
	// <nil> 1 always
}

func ExampleSchedule() {
	s, err := store.ParseSchedule("Mo-Fr 18:00-23:00; Sa,Su 22:00-06:00")
	fmt.Println(s, err)
	monday := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	fmt.Println(s.Open(monday), s.Until(monday).Format("15:04"))
	_, err = store.ParseSchedule("Mo-Fr 18:00-25:00")
	fmt.Println(err)
	// Output:
	// Mo-Fr 18:00-23:00; Sa-Su 22:00-06:00 <nil>
	// true 23:00
	// column 13: 25:00 is not a time of the day
}

func ExampleParticipant_Validate() {
	p := store.Participant{ID: "p1", Contacts: map[string]string{"sms": "0612345678"}}
	err := p.Validate()
	var refused *store.FieldError
	fmt.Println(errors.As(err, &refused), refused.Path)
	// Output: true contacts.sms
}

func ExampleStore_Bulk() {
	st, _ := store.Open("data", &store.Config{FS: vfs.NewMem(), Key: make([]byte, store.KeyBytes)})
	defer func() { _ = st.Close() }()
	bulk, err := st.Bulk(func(lat, _ int32) uint32 { return uint32(lat) })
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bulk.Close()
	for line, id := range []string{"a", "b", "a"} {
		p := &store.Participant{ID: id, Places: []store.Place{{Postcode: "1012", Channels: []string{"sms"}, Schedule: store.Always()}}}
		if err := bulk.Add(line+1, p, bySchedule); err != nil {
			fmt.Println(err)
		}
	}
	report, err := bulk.Finish(context.Background(), store.AuditRecord{At: time.Now(), Actor: "example", Verb: "import"})
	fmt.Println(report.Created, report.Replaced, err)
	// Output: 2 1 <nil>
}
