// Package wirepb is the agent stream's messages, generated from stream.proto, which documents them. Package wire is
// their only user.
package wirepb

//go:generate go run -C ../../../tools ./protogen ../internal/wire/wirepb/stream.proto
