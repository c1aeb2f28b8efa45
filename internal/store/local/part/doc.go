// Package part writes and reads the Parquet files of the local store.
//
// A part holds rows of one dataset, in the order of Order: by interval of time, then by who talks to whom, so that
// equal names lie together and compress well. Texts are dictionary-encoded throughout, times as differences; all is
// compressed with zstd. A column is found by its field's stable number, which is the Parquet field id, so parts of
// other versions can be read; and any Parquet reader makes sense of the files, since enumerations and addresses are
// texts.
//
// Writing and reading are the Parquet library's work. What is done here is to read the pages of dictionary indices as
// they are, for package scan, where the library would make texts of each.
package part
