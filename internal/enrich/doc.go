// Package enrich puts names and costs to batches of records, column by column: the stages of a server.
//
// Names come from an index ([Namer]): an address is looked up once per batch where its identity is steady, else once per
// port and second, and never per row. Where the index knows nothing of an address, what the agent said of it stays: the
// agent knows its own node. Costs come from a price table ([Pricer]) once it is known which record of a connection counts.
//
// Any dataset with the endpoints src, dst and backend is named. The package asks nobody and keeps nothing between batches.
package enrich
