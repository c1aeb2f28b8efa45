package flow

import (
	"strings"
	"testing"
)

func TestParseProto(t *testing.T) {
	f := func(text string, want Proto) {
		t.Helper()
		if got, err := ParseProto(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	f("TCP", TCP)
	f("tcp", TCP)
	f("IcmpV6", ICMPv6)
	f("icmp", ICMPv4)
	f("132", SCTP)
	f("0", 0)
	f("255", 255)
	for _, text := range []string{"", "256", "-1", "gre", " TCP"} {
		if _, err := ParseProto(text); err == nil || !strings.Contains(err.Error(), "want TCP") {
			t.Errorf("%q: got error %v", text, err)
		}
	}
}

func TestParseTCPFlags(t *testing.T) {
	f := func(text string, want TCPFlags) {
		t.Helper()
		if got, err := ParseTCPFlags(text); err != nil || got != want {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
	}
	f("", 0)
	f("SYN", SYN)
	f("ack|SYN", SYN|ACK)
	f("SYN|SYN", SYN)
	for _, text := range []string{"|", "SYN|", "SYN,ACK", "syn ack", "2"} {
		if _, err := ParseTCPFlags(text); err == nil || !strings.Contains(err.Error(), "want FIN, SYN") {
			t.Errorf("%q: got error %v", text, err)
		}
	}
}

func TestParseNATSource(t *testing.T) {
	for code, v := range natSources {
		if got, err := ParseNATSource(v.Name); err != nil || got != NATSource(code) {
			t.Errorf("%q: got %s, %v", v.Name, got, err)
		}
	}
	const want = `parse NAT source: value "kfunk" is not one of none, kfunc, fentry, kprobe, ctnetlink`
	if _, err := ParseNATSource("kfunk"); err == nil || err.Error() != want {
		t.Errorf("got error %v", err)
	}
}

func TestParseUint(t *testing.T) {
	f := func(name, text string, want uint64) {
		t.Helper()
		field, _ := FieldByName(name)
		if got, err := field.ParseUint(text); err != nil || got != want {
			t.Errorf("%s %q: got %d, %v, want %d", name, text, got, err, want)
		}
	}
	f("start", "2026-03-01T13:00:00.000000001+01:00", 1772366400000000001)
	f("proto", "udp", 17)
	f("nat", "dnat+snat", 3)
	f("reporter", "server", uint64(Server))
	f("oriented_by", "", 0)
	f("primary", "true", 1)
	f("primary", "false", 0)
	f("tcp.flags", "SYN|ACK", 0x12)
	f("src.port", "65535", 65535)
	f("fwd.bytes", "18446744073709551615", 1<<64-1)
}

func TestParseUintFailure(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		field, _ := FieldByName(name)
		_, err := field.ParseUint(text)
		if err == nil || err.Error() != "parse "+name+": "+want {
			t.Errorf("%s %q: got error %v, want %s", name, text, err, want)
		}
	}
	f("start", "1969-12-31T23:59:59Z", `value "1969-12-31T23:59:59Z" is not an RFC 3339 time between 1970 and 2262, such as 2026-03-01T12:00:00Z`)
	f("end", "2300-01-01T00:00:00Z", `value "2300-01-01T00:00:00Z" is not an RFC 3339 time between 1970 and 2262, such as 2026-03-01T12:00:00Z`)
	f("nat", "both", `value "both" is not one of none, dnat, snat, dnat+snat`)
	f("primary", "1", `value "1" is not one of true, false`)
	f("src.port", "65536", `value "65536" is not a whole number of at most 16 bits`)
	f("fwd.bytes", "1.5", `value "1.5" is not a whole number of at most 64 bits`)
	f("src.name", "x", `value "x": fields of kind name are not numbers`)
}

// What is accepted must be written back, and read again, as the same value.
func FuzzParseUint(f *testing.F) {
	for _, field := range fields {
		f.Add(uint16(field.ID), field.Example)
	}
	f.Add(uint16(3), "47")
	f.Add(uint16(20), "syn|SYN")
	f.Fuzz(func(t *testing.T, id uint16, text string) {
		field, ok := FieldByID(FieldID(id))
		if !ok {
			return
		}
		n, err := field.ParseUint(text)
		if err != nil {
			if n != 0 {
				t.Errorf("%s %q: value %d beside error %v", field.Name, text, n, err)
			}
			return
		}
		written := string(field.appendUint(nil, n))
		if again, err := field.ParseUint(written); err != nil || again != n {
			t.Errorf("%s %q: %d was written as %q and read as %d, %v", field.Name, text, n, written, again, err)
		}
	})
}
