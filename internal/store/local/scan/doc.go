// Package scan answers plans over chunks of columns, wherever these lie: it filters, groups, measures, sorts and cuts.
//
// What is asked of a text is asked once for each text of a chunk's dictionary, not for each row, and groups are found
// by numbers that stand for texts. Chunks that cannot hold a row that is wanted are not read. Several workers take
// chunks in turn; each has groups of its own, which are put together at the end.
//
// The package opens no files. It is tested against query.Evaluate, which does the same row by row.
package scan
