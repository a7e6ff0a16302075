//go:build !fault

// Package fault names the points of the program at which a crash would hurt.
//
// Built with the tag "fault", a process whose environment says
// CRIER_FAULT=name:n kills itself, without any clean-up, when it passes the
// point of that name for the n-th time. Built without the tag, as every release
// is, a point costs nothing.
package fault

// Point marks a place where a test may end the process.
func Point(string) {}
