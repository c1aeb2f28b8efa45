package flow

import (
	"math"
	"net/netip"
	"testing"
)

func TestFormatBytes(t *testing.T) {
	f := func(n uint64, want string) {
		t.Helper()
		if got := FormatBytes(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	f(0, "0 B")
	f(1023, "1023 B")
	f(1024, "1.0 KiB")
	f(1536, "1.5 KiB")
	f(1<<20-1, "1.0 MiB")
	f(1023*1024+900, "1023.9 KiB")
	f(1<<30, "1.0 GiB")
	f(1<<40, "1.0 TiB")
	f(5<<50, "5.0 PiB")
	f(1<<64-1, "16.0 EiB")
}

func TestFormatEndpoint(t *testing.T) {
	f := func(addr string, port uint16, id Identity, want string) {
		t.Helper()
		e := Endpoint{Addr: netip.MustParseAddr(addr), Port: port, Identity: id}
		if got := FormatEndpoint(&e); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("10.0.0.1", 80, Identity{}, "10.0.0.1:80")
	f("10.0.0.1", 0, Identity{}, "10.0.0.1")
	f("fd00::1", 80, Identity{}, "[fd00::1]:80")
	f("fd00::1", 0, Identity{}, "fd00::1")
	f("10.0.0.1", 80, Identity{Kind: Pod, Namespace: "shop", Name: "cart-1"}, "shop/cart-1:80")
	f("10.0.0.1", 0, Identity{Kind: Node, Name: "worker-1"}, "worker-1")
	f("10.0.0.1", 80, Identity{Kind: Pod, Namespace: "shop"}, "10.0.0.1:80")
	if got := FormatEndpoint(&Endpoint{}); got != "" {
		t.Errorf("no address: got %q", got)
	}
}

func TestFormatPath(t *testing.T) {
	f := func(r Record, want string) {
		t.Helper()
		if got := FormatPath(&r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(sampleTCP(), "shop/front-7d9f:40002 → shop/cart:80 ⇒ shop/cart-5c6d8:8080")
	f(sampleSNAT(), "worker-1:5353 → [2001:db8::1]:53")
	f(samplePing(), "192.0.2.1 → 192.0.2.2")
}

func TestFormatMicroseconds(t *testing.T) {
	f := func(n uint64, want string) {
		t.Helper()
		if got := FormatMicroseconds(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	f(0, "0 µs")
	f(999, "999 µs")
	f(1200, "1.2 ms")
	f(999_949, "999.9 ms")
	f(999_950, "1.0 s")
	f(59_900_000, "59.9 s")
	f(8_100_000_000, "2h15m0s")
	f(math.MaxUint64, "18446744073709 s")
}

func TestFormatMoney(t *testing.T) {
	f := func(pico uint64, want string) {
		t.Helper()
		if got := FormatMoney(pico); got != want {
			t.Errorf("%d: got %s, want %s", pico, got, want)
		}
	}
	f(0, "$0.00")
	f(1, "<$0.000001")
	f(999_999, "<$0.000001")
	f(1_000_000, "$0.000001")
	f(42_400_000, "$0.000042")
	f(999_999_000_000, "$0.999999")
	f(1_000_000_000_000, "$1.00")
	f(12_345_000_000_000, "$12.35")
}
