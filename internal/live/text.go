package live

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/seine-net/seine/internal/flow"
)

// printable replaces what a terminal would obey instead of show. Names come from others and may hold any byte.
func printable(text string) string {
	if plain(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}

// plain tells whether the text is printable ASCII, one cell a byte.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// width returns how many cells a text takes, in which there must not be control sequences.
func width(text string) int {
	if plain(text) {
		return len(text)
	}
	return ansi.StringWidth(text)
}

// longestPort is the length of ":65535".
const longestPort = 6

// middle shortens a text in its middle, since the ends of a name tell more, and a port is shown whole or not at all.
func middle(text string, w int) string {
	have := width(text)
	if have <= w {
		return text
	}
	if w <= 1 {
		return strings.Repeat("…", max(w, 0))
	}
	right := (w - 1) / 2
	if port := len(text) - strings.LastIndexByte(text, ':'); port <= longestPort && port < w-1 {
		right = max(right, port)
	}
	left := w - 1 - right
	return ansi.Truncate(text, left, "") + "…" + ansi.Cut(text, have-right, have)
}

// clip shortens a text at its end.
func clip(text string, w int) string {
	if width(text) <= w {
		return text
	}
	return ansi.Truncate(text, max(w, 0), "…")
}

func spaces(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}

// pad fills a text up to a width, on the left if right.
func pad(text string, w int, right bool) string {
	missing := w - width(text)
	if missing <= 0 {
		return text
	}
	if right {
		return strings.Repeat(" ", missing) + text
	}
	return text + strings.Repeat(" ", missing)
}

// about marks an estimate.
func about(text string, estimated bool) string {
	if estimated {
		return "~" + text
	}
	return text
}

func formatRate(rate float64) string { return flow.FormatBytes(uint64(rate+0.5)) + "/s" }

// formatCount returns a number in groups of three digits.
func formatCount(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// counted returns a number of things that have a regular plural.
func counted(n uint64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return formatCount(n) + " " + thing
}

// shortCount returns a number in at most six characters: from 100,000 on in thousands, millions and above.
func shortCount(n uint64) string {
	if n < 100_000 {
		return formatCount(n)
	}
	value, unit := float64(n)/1e3, 0
	for value >= 999.95 {
		value /= 1e3
		unit++
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + "kMGTPE"[unit:unit+1]
}

// formatAge returns a duration in its one or two largest units.
func formatAge(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m" + pad2(d%time.Minute/time.Second) + "s"
	}
	return strconv.Itoa(int(d/time.Hour)) + "h" + pad2(d%time.Hour/time.Minute) + "m"
}

func pad2(n time.Duration) string {
	if n < 10 {
		return "0" + strconv.Itoa(int(n))
	}
	return strconv.Itoa(int(n))
}

// formatShare returns a share in percent. What is not whole never rounds up to 100.
func formatShare(share float64) string {
	if share < 1 && share > 0.9999 {
		share = 0.9999
	}
	decimals := 2
	if share == 1 || share < 0.9 {
		decimals = 0
	}
	return strconv.FormatFloat(100*share, 'f', decimals, 64) + " %"
}

var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws the last intervals, oldest first, scaled to the highest of them.
func sparkline(r *row, w int) string {
	var most uint64
	for i := range uint32(w) {
		sum := r.activity.at(r.newest - i)
		most = max(most, sum[0]+sum[1])
	}
	out := make([]rune, w)
	for i := range w {
		sum := r.activity.at(r.newest - uint32(w-1-i))
		out[i] = ' '
		if bytes := sum[0] + sum[1]; bytes > 0 {
			out[i] = bars[int(float64(bytes)/float64(most)*float64(len(bars)-1)+0.5)]
		}
	}
	return string(out)
}
