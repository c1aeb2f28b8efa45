package main

import (
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/seine-net/seine/internal/query"
)

// widthOf is how many columns a terminal has, 0 for what is none.
func widthOf(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// wrapped breaks a text at spaces, so that no line is longer than the width unless a word is; a number stays with its unit.
// A width of 0 breaks nothing.
func wrapped(text string, width int) (lines []string) {
	if width <= 0 {
		return []string{text}
	}
	const glue = "\x00"
	line := ""
	for word := range strings.FieldsSeq(strings.ReplaceAll(text, " %", glue+"%")) {
		word = strings.ReplaceAll(word, glue, " ")
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// fitting are the columns of a table that have room in the width, from the left, at least two; a width of 0 has room for all.
func fitting(columns []blockColumn, b *query.Block, width int) []blockColumn {
	if width <= 0 {
		return columns
	}
	room := width
	for i := range columns {
		room -= columns[i].needs(b)
		if room < 0 && i > 1 {
			return columns[:i]
		}
		room -= len(gap)
	}
	return columns
}
