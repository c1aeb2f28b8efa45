// Package local is the engine that keeps records in files of this machine.
//
// A batch is first written to the write-ahead log (package wal) and added to a table in memory (package memory). When
// the table is large or old enough, its rows are written as Parquet files (package part), one for each hour of their
// time, and the log's segment is removed. Small files of past hours are merged; files beyond the limits of age and
// size are removed, oldest first. A query looks at the tables and the files alike (package scan).
//
// The folder:
//
//	LOCK                               held by the one process that uses the folder, with its pid
//	wal/0000000012.log                 segments of the log
//	flows/2026-11-21T15/               rows of a dataset whose field "end" is in this hour
//	    0000000012-1of2.parquet        from segment 12, the first of its two files
//	    0000000013-g1.parquet          merged from files with lower numbers
//	flows/2026-11-20/                  small files of a day that is over, merged; or rows of this day that came late, among
//	                                   those of many other days, for which there are also folders of months and years
//	set-aside/                         what could not be read
//	tmp/                               files being written
//
// That a row is kept exactly once, whenever the process or machine stops, follows from names and the order of steps.
// The files of a segment are complete before they get their names, and the segment is removed after all have theirs:
// so a segment whose files are all there is done, and files of a segment that lacks some are removed and made again.
// A merged file names those that it replaces, which are removed after it has its name, or at the next start.
package local
