package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable replaces what a terminal would obey instead of show. Names come from others and may hold any byte.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}

// printableLines is printable but for what makes lines and columns.
func printableLines(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return utf8.RuneError
	}, text)
}

// escapeControls writes the control characters that JSON allows in a string (RFC 8259, 7: U+007F to U+009F) as escapes.
func escapeControls(json []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(json) {
		if r >= 0x7f && r <= 0x9f {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}
