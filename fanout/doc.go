// Package fanout decides who hears of an action and drives the sending.
//
// # Use
//
// [Open] an [Engine] on a store, with a sink for each channel. [Engine.Enrol]
// people. Then, for an action, in this order:
//
//   - [Engine.Plan] shows who would be told, when and over what. It changes
//     nothing and takes microseconds, so that a person can look before anything
//     leaves.
//   - [Engine.Start] plans afresh and begins to send. What it returns is durable.
//   - [Engine.Pause], [Engine.Resume]: within one batch.
//   - [Engine.Conclude] sends the closing to exactly those who were reached, or
//     [Engine.Cancel] a correction. One of the two ends every action.
//   - [Engine.Action] tells how it stands, [Engine.Events] as it happens,
//     [Engine.Ledger] recipient by recipient.
//
// # Promise
//
// Once Start has returned, every planned recipient gets at least one attempt or
// a recorded reason, across kill -9 and power loss (with an honest fsync). A
// crash repeats at most the batches that were claimed and not recorded, one a
// worker; [State.InFlight] is that bound in recipients. A repeated message has
// the same idempotency key.
//
// How: a plan is a few bitmaps, committed with one sync before the first message
// leaves (segment.go). A worker syncs a claim before it hands a batch over, and
// the answers after (worker.go). What was claimed and has no answer is unknown:
// it is sent again while the action runs, and hears the closing if it ended
// meanwhile (conclude.go).
//
// # Concurrency
//
// All methods of an Engine may be called at any time from any goroutine. Plans
// never wait for writers. Locks are taken in the order run.change, Engine.mu,
// lane.mu, run.mu; the store's writer lock is before Engine.mu and never taken
// with a lane's or run's lock held, except by a claim, which takes run.mu inside.
//
// # Caveats
//
// One Engine a store. Texts are sent as they are: rendering for each channel's
// limits comes later, as do fallback to the next channel, resends and updates.
package fanout
