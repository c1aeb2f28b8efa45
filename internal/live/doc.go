// Package live shows connections on a terminal while they happen: the view behind `seine run` and `seine demo`.
//
// The agent gives each interval's records to [View.Add], which adds them to a table of connections, and one of rows
// in which the connections of a client to a backend are put together. The tables are bounded and under one lock. From
// time to time the model, which runs on a goroutine of its own, copies out of them what is to be seen, filters and
// sorts it, and draws the part that fits on the screen. No lock is held while writing to the terminal, so that a slow
// one holds nobody up.
//
// The package neither captures nor names: it draws what is in the records, and asks the caller for the rest with
// [Options.Summary]. Whoever wants exact values in a file or a pipe uses the encoders of package flow.
package live
