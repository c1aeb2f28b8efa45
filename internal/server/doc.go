// Package server assembles the server's part: it takes batches, from agents or from the same process, puts names to
// them, marks the records that sums count, appends them to the store, and then gives them to whoever follows live.
//
// The way of a batch is direct calls by one goroutine: [Server.Ingest] returns when the batch is durable. Followers
// ([Server.Subscribe]) have bounded queues of their own and never hold it up. The server also remembers, for a bounded
// number of agents, what each told of itself, for the status and for the losses that every answer mentions.
//
// It opens neither sockets nor files: package wire receives, a store.Engine keeps, package api answers.
package server
