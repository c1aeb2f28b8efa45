// Package wal is the write-ahead log of the local store: what makes a batch durable before it is acknowledged.
//
// A log is a folder of segments, numbered files of frames. A frame carries one batch, or what was known of all origins
// when its segment began, and a checksum. Frames that are appended at the same time share one write and one fsync. A
// segment is removed once its rows are in files of their own.
//
// The package knows neither columns nor queries: a payload is bytes.
package wal
