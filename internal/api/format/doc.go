// Package format writes the answers to plans, block by block, as CSV, as NDJSON and as Parquet: for exports and for the
// command line. Values look as those of records do in package flow.
package format
