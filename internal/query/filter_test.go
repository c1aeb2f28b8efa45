package query

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/columns"
)

// String writes a condition so that tests can compare it.
func (x *Expr) String() string {
	names := map[Operator]string{
		And: "and", Or: "or", Not: "not", Equal: "==", Less: "<", LessOrEqual: "<=", Greater: ">", GreaterOrEqual: ">=", In: "in",
		Contains: "contains", HasPrefix: "prefix", HasSuffix: "suffix", Matches: "matches", Within: "within", Known: "known",
	}
	parts := []string{names[x.Operator]}
	for _, arg := range x.Args {
		parts = append(parts, arg.String())
	}
	if x.Field != nil {
		parts = append(parts, x.Field.Name)
	}
	for _, text := range x.Texts {
		parts = append(parts, fmt.Sprintf("%q", text))
	}
	for _, number := range x.Numbers {
		parts = append(parts, fmt.Sprint(number))
	}
	for _, prefix := range x.Prefixes {
		parts = append(parts, prefix.String())
	}
	return "(" + strings.Join(parts, " ") + ")"
}

func TestCompileFilter(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		x, err := CompileFilter(columns.Flows(), text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := x.String(); got != want {
			t.Errorf("%s: compiled to\n%s, want\n%s", text, got, want)
		}
	}
	f(`src.namespace == "shop"`, `(== src.namespace "shop")`)
	f(`"shop" == src.namespace`, `(== src.namespace "shop")`)
	f(`src.namespace != "shop"`, `(not (== src.namespace "shop"))`)
	f(`src.name < "b"`, `(< src.name "b")`)
	f(`1024 < fwd.bytes`, `(> fwd.bytes 1024)`)
	f(`1024 >= fwd.bytes`, `(<= fwd.bytes 1024)`)
	f(`total.bytes > 10 * 1024 * 1024 - 1`, `(> total.bytes 10485759)`)
	f(`total.bytes > -5`, `(> total.bytes -5)`)
	f(`primary`, `(== primary 1)`)
	f(`!primary`, `(not (== primary 1))`)
	f(`primary == false`, `(== primary 0)`)
	f(`dst.port in [80, 400 + 43]`, `(in dst.port 80 443)`)
	f(`src.workload.name in ["a"]`, `(in src.workload.name "a")`)
	f(`src.name.contains("a") || src.name.startsWith("b") || src.name.endsWith("c")`,
		`(or (contains src.name "a") (prefix src.name "b") (suffix src.name "c"))`)
	f(`src.name.matches("^a+$")`, `(matches src.name "^a+$")`)
	f(`primary && nat == "dnat" && (primary || nat == "") && !(nat == "none")`,
		`(and (== primary 1) (== nat "dnat") (or (== primary 1) (== nat "")) (not (== nat "none")))`)
	f(`cidr("10.1.2.3/8").containsIP(src.addr)`, `(within src.addr 10.0.0.0/8)`)
	f(`cidr("2001:db8::/32").containsIP(backend.addr)`, `(within backend.addr 2001:db8::/32)`)
	f(`src.addr == "::ffff:10.0.0.1"`, `(== src.addr "10.0.0.1")`)
	f(`src.addr in ["2001:DB8:0::1", ""]`, `(in src.addr "2001:db8::1" "")`)
	f(`src.addr.startsWith("10.")`, `(prefix src.addr "10.")`)
	f(`proto == "tcp" || proto == "17" || proto == "47"`, `(or (== proto "TCP") (== proto "UDP") (== proto "47"))`)
	f(`nat == "7"`, `(== nat "7")`)
	f(`known(icmp.type)`, `(known icmp.type)`)
	f(`end >= timestamp("2026-03-01T12:00:00Z") - duration("1h")`, `(>= end 1772362800000000000)`)
	f(`end > timestamp("9999-01-01T00:00:00Z")`, `(> end 9223372036854775807)`)
	f(`tcp.flags == "SYN|ACK"`, `(== tcp.flags 18)`)
	f(`tcp.flags in ["syn", ""]`, `(in tcp.flags 2 0)`)
	f("src.name == 'a' // the client\n", `(== src.name "a")`)

	x, err := CompileFilter(columns.Flows(), `tcp.flags.contains("SYN|ACK")`)
	if err != nil || x.Operator != In || len(x.Numbers) != 64 {
		t.Fatalf("flags that contain two: %v, %v", x, err)
	}
	for _, set := range x.Numbers {
		if set&18 != 18 {
			t.Errorf("set %b lacks a flag", set)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	type place struct{ Line, Column, Offset int }
	f := func(text string, kind ErrorKind, at place, message, hint string) {
		t.Helper()
		x, err := CompileFilter(columns.Flows(), text)
		var refused *Error
		if !errors.As(err, &refused) || x != nil {
			t.Errorf("%s: compiled to %v, error %v", text, x, err)
			return
		}
		if refused.Member != "filter" || refused.Position == nil {
			t.Fatalf("%s: error is %+v", text, refused)
		}
		if diff := cmp.Diff(at, place(*refused.Position)); diff != "" || refused.Kind != kind {
			t.Errorf("%s: error is of kind %s, want %s; position (-want +got):\n%s", text, refused.Kind, kind, diff)
		}
		if !strings.Contains(refused.Message, message) || !strings.Contains(refused.Hint, hint) {
			t.Errorf("%s: error is %q, hint %q, want %q and %q in them", text, refused.Message, refused.Hint, message, hint)
		}
	}
	f(`src.namespace ==`, SyntaxError, place{1, 17, 16}, "unexpected end of the filter", "conditions look like")
	f(`src.name == 'a`, SyntaxError, place{1, 13, 12}, "token recognition error", "conditions look like")
	f(`total.bytes > 9999999999999999999`, SyntaxError, place{1, 15, 14}, "invalid int literal", "")
	f(`src.nam == "x"`, UnknownName, place{1, 1, 0}, `called "src.nam"`, `did you mean "src.name"?`)
	f("src.name == \"a\" &&\n  src.prt == 1", UnknownName, place{2, 3, 21}, `called "src.prt"`, `did you mean "src.port"?`)
	f(`src.name == "Zürich" && bad`, UnknownName, place{1, 25, 24}, `called "bad"`, "/api/v1/fields")
	f(`src == "x"`, UnknownName, place{1, 1, 0}, `called "src"`, "")
	f(`community_id == "x"`, UnknownName, place{1, 1, 0}, "community_id is not stored", "")
	f(`has(src.name)`, UnknownName, place{1, 4, 3}, `no function is called "has"`, "known(field)")
	f(`[1, 2].exists(x, x == 1)`, UnknownName, place{1, 14, 13}, `no function is called "exists"`, "want comparisons")
	f(`src.namespace == 3`, TypeError, place{1, 15, 14}, "== does not take (string, int)", "text in quotation marks")
	f(`total.bytes > 1.5`, TypeError, place{1, 13, 12}, "> does not take (int, double)", "whole numbers")
	f(`src.port in src.name`, TypeError, place{1, 10, 9}, "in does not take (int, string)", "")
	f(`src.namespace`, TypeError, place{1, 1, 0}, "filter has the type string", "compare it")
	f(`cidr("10.0.0.0/8").containsIP(src.name)`, TypeError, place{1, 31, 30}, "src.name is not an address", "src.addr")
	f(`src.addr == "10.0.0.0/8"`, ValueError, place{1, 13, 12}, `src.addr is never "10.0.0.0/8"`, `cidr("10.0.0.0/8").containsIP(src.addr)`)
	f(`src.addr in ["10.0.0.1", "x"]`, ValueError, place{1, 26, 25}, `src.addr is never "x"`, "")
	f(`cidr("10.0.0.0").containsIP(src.addr)`, ValueError, place{1, 6, 5}, `"10.0.0.0" is not a network`, "want a prefix")
	f(`proto == "foo"`, ValueError, place{1, 10, 9}, `proto is never "foo"`, "TCP, UDP")
	f(`nat == "DNAT"`, ValueError, place{1, 8, 7}, `nat is never "DNAT"`, "none, dnat, snat, dnat+snat")
	f(`tcp.flags == "X"`, ValueError, place{1, 14, 13}, `tcp.flags is never "X"`, "FIN, SYN")
	f(`total.bytes > 1 / 0`, ValueError, place{1, 17, 16}, "division by zero", "")
	f(`end > timestamp("x")`, ValueError, place{1, 16, 15}, "cannot be computed", "")
	f(`src.name.matches("(")`, ValueError, place{1, 18, 17}, "regular expression is malformed", "RE2")
	f(`src.addr == src.name`, UnsupportedError, place{1, 13, 12}, "fields are not compared with each other", "constant")
	f(`src.name.contains(dst.name)`, UnsupportedError, place{1, 19, 18}, "fields are not compared with each other", "constant")
	f(`tcp.flags < "SYN"`, UnsupportedError, place{1, 13, 12}, "flags are compared by", `tcp.flags.contains("SYN|ACK")`)
	f(`true`, UnsupportedError, place{1, 1, 0}, "not supported", "want comparisons")
	f(`"a" == "a"`, UnsupportedError, place{1, 1, 0}, "a field is wanted", "src.addr")
	f(`src.name.size() > 3`, UnsupportedError, place{1, 14, 13}, "a field is wanted", "want comparisons")
	f(`dst.port == 80 ? primary : primary`, UnsupportedError, place{1, 16, 15}, "?_: is not supported", "want comparisons")
	f(`src.port in []`, UnsupportedError, place{1, 10, 9}, "list of constants", "[80, 443]")
	f(`known("x")`, UnsupportedError, place{1, 7, 6}, "a field is wanted", "")
	f(`cidr("10.0.0.0/8").containsIP("10.0.0.1")`, UnsupportedError, place{1, 31, 30}, "a field is wanted", "")

	f(`src.name.matches("`+strings.Repeat("a", maxPattern+1)+`")`, TooLargeError, place{1, 18, 17}, "regular expression has 1001 bytes", "")
	f(`src.name.matches("`+strings.Repeat("a{1000}", 3)+`")`, TooLargeError, place{1, 18, 17}, "too many steps", "repeat less")
	f(`primary`+strings.Repeat(" && primary", maxConditions), TooLargeError, place{1, 5490, 5489}, "more than 1000 conditions", "list")
}

// hostileFilters are texts that cost a parser, checker or matcher much, if it lets them.
func hostileFilters() []string {
	nested := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	return []string{
		nested("(", "primary", ")", 30_000),
		nested("!", "primary", "", 60_000),
		nested("[", "", "]", 30_000),
		nested("{1:", "1", "}", 10_000),
		nested("-", "1", "", 60_000) + " > total.bytes",
		"primary" + strings.Repeat(" && primary", 5_900),
		"primary" + strings.Repeat(" ? primary : primary", 3_000),
		"src" + strings.Repeat(".a", 30_000),
		"src" + strings.Repeat("[0]", 20_000),
		"src.name" + strings.Repeat(".contains('a')", 4_600),
		"total.bytes in [" + strings.Repeat("1,", 30_000) + "1]",
		"total.bytes > 1" + strings.Repeat("+1", 30_000),
		"src.name == 'a'" + strings.Repeat("+'a'", 15_000),
		strings.Repeat("(", 60_000), strings.Repeat(")", 60_000), strings.Repeat("'", 60_000), strings.Repeat("\\", 60_000),
		strings.Repeat("&&", 30_000), strings.Repeat("a b ", 15_000), strings.Repeat("\n", 60_000) + "a",
		strings.Repeat("primary\n&&", 6_000), strings.Repeat("\x00", 60_000), strings.Repeat("\xff", 60_000),
		`src.name.matches("` + nested("(", "a", ")*", 300) + `")`,
		`src.name.matches("` + strings.Repeat("(a{1000}){1000}", 60) + `")`,
		`src.name.matches("` + strings.Repeat("a{1000}", 140) + `")`,
		strings.Repeat("x", maxFilter+1),
	}
}

// Each is answered at once, whatever it is. The bound is wide, since tests share machines.
func TestHostileFilters(t *testing.T) {
	const most = time.Minute // A filter that grows without end is looked for; a busy machine is slow, too.
	for _, text := range hostileFilters() {
		start := time.Now()
		_, err := CompileFilter(columns.Flows(), text)
		if took := time.Since(start); took > most {
			t.Errorf("%.40q of %d bytes took %s", text, len(text), took)
		} else {
			t.Logf("%.40q of %d bytes took %s: %.120v", text, len(text), took.Round(time.Millisecond), err)
		}
		if err != nil && len(err.Error()) > 2000 {
			t.Errorf("%.40q: error has %d bytes", text, len(err.Error()))
		}
	}
}

// FuzzCompileFilter checks that every text is compiled or refused with a place in it, and that what is compiled can be
// matched against records.
func FuzzCompileFilter(f *testing.F) {
	for _, text := range []string{
		`src.namespace == "shop" && total.bytes > 1048576`, `cidr("10.0.0.0/8").containsIP(src.addr)`, `dst.port in [80, 443]`,
		`tcp.flags.contains("SYN") || !known(icmp.type)`, `end > timestamp("2026-03-01T12:00:00Z") - duration("1h")`,
		`src.name.matches("^a(b|c)*$")`, `src.nam == 'x'`, "a\n\"ü\" == ", `1 + 2 * 3 - 4 / 5 % 6 < fwd.bytes`,
	} {
		f.Add(text)
	}
	batch := emptyRecord()
	f.Fuzz(func(t *testing.T, text string) {
		x, err := CompileFilter(columns.Flows(), text)
		var refused *Error
		switch {
		case err == nil:
			NewMatcher(x).Match(nil, batch)
		case !errors.As(err, &refused):
			t.Errorf("error is a %T", err)
		case refused.Position != nil && (refused.Position.Offset < 0 || refused.Position.Offset > len([]rune(text))):
			t.Errorf("position %+v is outside of the text", *refused.Position)
		}
	})
}
