// Package dns makes records of DNS queries from the packets that capture hands over, and remembers what names clients
// had addresses from.
//
// The way of a message: a Tracker takes a packet; what came by TCP is put together from its segments; a query opens an
// exchange under the addresses that the packet bears, and an answer closes it. One query passes several interfaces, and
// translation gives it up to three pairs of addresses on the way. A packet that passes another interface is the same
// query, one that passes the same interface again is a retry. At the end of an interval each exchange that is over is
// given to its connection, which package nat knows by any of these pairs, and only that under the addresses which the
// client sent becomes a record. So one query is one record, seen from as near to the client as this node is.
//
// Messages are parsed by a DNS library. The package opens nothing and has no clock: time is that of the packets.
package dns
