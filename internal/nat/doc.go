// Package nat turns what the kernel counted, interface by interface and with whatever addresses a packet bore there,
// into one record per connection: client, dialled, backend, and the client as the backend saw it.
//
// The way of a record: capture drains the flow map and hands over Observations; sources of translations hand over
// Translations; Table joins both by conntrack identity and, at the end of an interval, emits flow Records. A
// connection shows several faces on its way through a node (see face); all lead to the same connection.
//
// The package is pure: no system call, no clock of its own. Naming the endpoints, sending and storing are others' work.
package nat
