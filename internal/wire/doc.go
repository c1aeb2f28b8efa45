// Package wire carries records from agents to a server: a gRPC stream of Arrow record batches up, acknowledgements down.
//
// A [Sender] is the agent's end. [Sender.Sink] turns an interval's records into encoded batches, numbers them and puts
// them in a queue that is bounded in bytes; a goroutine delivers from there, connects anew after a failure, and sends
// again what was not acknowledged. When the queue is full the oldest batch that was never sent is dropped, and its
// records are counted and reported to the server. A [Receiver] is the server's end: it checks who calls, decodes, and
// gives batches to a [Handler]; it acknowledges a batch once the handler has kept it durably. In a process that is both
// ([OpenLocal]) batches go from the queue to the handler without a socket.
//
// So a batch arrives at least once; the handler drops what it has seen, by origin and sequence number. The package
// neither makes records nor keeps them; certificates and tokens are package credential's.
package wire
