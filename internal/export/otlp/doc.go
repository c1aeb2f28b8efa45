// Package otlp sends rows to a collector of OpenTelemetry, as log records of OTLP over gRPC or HTTP.
//
// A row is one log record (opentelemetry-proto 1.10): its end is the record's time, its fields are attributes, those
// that OpenTelemetry's semantic conventions have a name for under that name (attribute.go), its body a sentence
// (sentence.go). Send encodes a block row by row, straight from its columns (encoder.go), into requests that are bounded
// in bytes. What became of a request is an answer (answer.go), whose kinds are those of the OTLP specification: taken, to
// be sent again later, too large, or never to be taken. After an error the next Send of the block goes on with the row
// where it stopped.
//
// Queueing, waiting between attempts and counting are those of package export.
package otlp

//go:generate go run ./gendocs
