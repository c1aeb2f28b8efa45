// Package kafka sends rows to a topic of Kafka, a message each, as JSON.
//
// A block goes out as batches, and Send waits until the brokers have all of it. What they did not take stays here or in
// the client, and the next Send of the block goes on with just that: within a process the client's sequence numbers
// keep a message that was written, but whose acknowledgement was lost, from being written twice. Messages of one
// connection bear one key, so they come to one partition, in order.
//
// The client is franz-go's. Queueing, waiting between attempts and counting are those of package export.
package kafka
