package fanout_test

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

// Example is the README's first example: from an empty store to the closing.
func Example() {
	if err := story(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 would be told
	// alert in nl: Uitkijken naar jongen van 9, rode jas
	// closing in nl: Gevonden, dank u.
}

func story(ctx context.Context) error {
	st, err := store.Open("data", &store.Config{FS: vfs.NewMem(), Key: make([]byte, store.KeyBytes)})
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()

	provider := channels.SinkFunc(func(_ context.Context, b *channels.Batch) ([]channels.Answer, error) {
		answers := make([]channels.Answer, len(b.Recipients))
		for i, r := range b.Recipients {
			fmt.Println(b.Phase, "in", r.Lang+":", b.Texts[r.Lang].Text)
			answers[i].Verdict = channels.Accepted
		}
		return answers, nil
	})
	eng, err := fanout.Open(ctx, st, fanout.Config{
		Channels: map[string]fanout.Channel{
			channels.SMS: {Sink: provider, Rate: 200, Burst: 50, Workers: 4}, // 200 a second
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()

	err = eng.Enrol(ctx, store.Participant{ // durable and in the index when it returns
		ID:       "p-000001",
		Contacts: map[string]string{channels.SMS: "+31612345678"},
		Places: []store.Place{{
			ID: "home", Point: &store.Position{Lat: 523731000, Lng: 48926000}, // 1e-7 degree
			Channels: []string{channels.SMS}, Schedule: store.Always(),
		}},
	})
	if err != nil {
		return err
	}

	plan, err := eng.Plan(ctx, fanout.Action{ // pure: shows, changes nothing
		Kind: fanout.Missing,
		Area: geoindex.Circle(geoindex.At(52.3676, 4.9041), 2500),
		Text: fanout.Text{"nl": "Uitkijken naar jongen van 9, rode jas"},
	})
	if err != nil {
		return err
	}
	fmt.Println(plan.Recipients(), "would be told")

	action, err := eng.Start(ctx, plan.Action()) // plans afresh, durable when it returns
	if err != nil {
		return err
	}
	if err := eng.Wait(ctx, action.ID); err != nil { // every recipient has an outcome
		return err
	}
	_, err = eng.Conclude(ctx, action.ID, fanout.Conclusion{ // the closing, to everyone reached
		Result: "found", Text: fanout.Text{"nl": "Gevonden, dank u."},
	})
	if err != nil {
		return err
	}
	return eng.Wait(ctx, action.ID)
}

func ExamplePolicy() {
	missing := fanout.DefaultPolicy()[fanout.Missing]
	fmt.Println(missing.Windows, missing.Reach, missing.Call[channels.SMS])
	// Output: true preferred 0800-0011
}

func ExampleParseOutcome() {
	o, err := fanout.ParseOutcome("accepted")
	fmt.Println(o == fanout.Accepted, o, err)
	// Output: true accepted <nil>
}

func ExampleEngine_Ledger() {
	ctx := context.Background()
	st, _ := store.Open("data", &store.Config{FS: vfs.NewMem(), Key: make([]byte, store.KeyBytes)})
	defer func() { _ = st.Close() }()
	refusing := channels.SinkFunc(func(context.Context, *channels.Batch) ([]channels.Answer, error) {
		return []channels.Answer{{Verdict: channels.Rejected, Reason: "unknown subscriber"}}, nil
	})
	eng, _ := fanout.Open(ctx, st, fanout.Config{Channels: map[string]fanout.Channel{channels.SMS: {Sink: refusing}}})
	defer func() { _ = eng.Close() }()
	_ = eng.Enrol(ctx, store.Participant{
		ID: "p1", Contacts: map[string]string{channels.SMS: "+31612345678"},
		Places: []store.Place{{Point: &store.Position{Lat: 523731000, Lng: 48926000}, Channels: []string{channels.SMS}, Schedule: store.Always()}},
	})
	action, err := eng.Start(ctx, fanout.Action{
		Kind: fanout.Missing, Area: geoindex.Circle(geoindex.At(52.3731, 4.8926), 100), Text: fanout.Text{"nl": "Uitkijken"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = eng.Wait(ctx, action.ID)
	for row, err := range eng.Ledger(action.ID, fanout.Query{Outcome: fanout.Missed}) {
		fmt.Println(row.Participant, row.Channel, row.Outcome, row.Reason, err)
	}
	// Output: p1 sms rejected unknown subscriber <nil>
}
