// Package export sends records on, as they are stored, to other programs: a Kafka topic, a collector of IPFIX or of
// OpenTelemetry.
//
// A file (ReadFile) names the exporters. Each follows the server's live tail with a queue of its own, bounded in bytes,
// chooses rows and fields by a plan as queries do, and gives them to its target block by block. What a target does not
// take now is sent again until it does; meanwhile the queue holds, then drops its oldest. Every row ends as sent,
// refused or lost, and is counted so. An exporter holds up neither the store nor other exporters.
//
// How rows look to others, and how they are delivered, is the business of the targets in the folders below. What an
// exporter missed while its process did not run is not sent later: the store has it, and the API exports it.
package export
