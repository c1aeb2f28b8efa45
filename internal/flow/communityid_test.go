package flow

import (
	"net/netip"
	"testing"
)

// The values are those that the specification's own implementation, pycommunityid, and Zeek are tested with.
func TestCommunityID(t *testing.T) {
	f := func(proto Proto, src, dst string, icmp ICMP, want string) {
		t.Helper()
		r := plain(proto, netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst))
		r.ICMP = icmp
		if got := CommunityID(&r); got != want {
			t.Errorf("%s %s %s %v: got %s, want %s", proto, src, dst, icmp, got, want)
		}
	}
	f(TCP, "1.2.3.4:1122", "5.6.7.8:3344", ICMP{}, "1:wCb3OG7yAFWelaUydu0D+125CLM=")
	f(TCP, "5.6.7.8:3344", "1.2.3.4:1122", ICMP{}, "1:wCb3OG7yAFWelaUydu0D+125CLM=")
	f(UDP, "1.2.3.4:1122", "5.6.7.8:3344", ICMP{}, "1:0Mu9InQx6z4ZiCZM/7HXi2WMhOg=")
	f(SCTP, "1.2.3.4:1122", "5.6.7.8:3344", ICMP{}, "1:EKt4MsxuyaE6mL+hmrEkQ9csDD8=")
	f(ICMPv4, "1.2.3.4:0", "5.6.7.8:0", ICMP{Type: 8}, "1:crodRHL2FEsHjbv3UkRrfbs4bZ0=")
	f(ICMPv4, "5.6.7.8:0", "1.2.3.4:0", ICMP{Type: 0}, "1:crodRHL2FEsHjbv3UkRrfbs4bZ0=")
	f(ICMPv4, "1.2.3.4:0", "5.6.7.8:0", ICMP{Type: 11, ID: 9}, "1:f/YiSyWqczrTgfUCZlBUnvHRcPk=")
	const low, high = "[fe80:1:203:405:607:809:a0b:c0d]:0", "[fe80:1011:1213:1415:1617:1819:1a1b:1c1d]:0"
	f(ICMPv6, low, high, ICMP{Type: 128}, "1:0bf7hyMJUwt3fMED7z8LIfRpBeo=")
	f(ICMPv6, high, low, ICMP{Type: 129}, "1:0bf7hyMJUwt3fMED7z8LIfRpBeo=")
	f(ICMPv6, "[3ffe:507:0:1:260:97ff:fe07:69ea]:0", "[3ffe:507:0:1:200:86ff:fe05:80da]:0", ICMP{Type: 3}, "1:NdobDX8PQNJbAyfkWxhtL2Pqp5w=")
	f(ICMPv6, "[3ffe:507:0:1:200:86ff:fe05:80da]:0", "[3ffe:507:0:1:260:97ff:fe07:69ea]:0", ICMP{Type: 3}, "1:/OGBt9BN1ofenrmSPWYicpij2Vc=")
	f(ICMPv6, "[fe80::260:97ff:fe07:69ea]:0", "[fe80::200:86ff:fe05:80da]:0", ICMP{Type: 136}, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=")
	f(ICMPv4, "192.168.0.89:0", "192.168.0.1:0", ICMP{Type: 20, Code: 1}, "1:tz/fHIDUHs19NkixVVoOZywde+I=")
	f(TCP, "10.0.0.1:10", "10.0.0.2:11569", ICMP{}, "1:SXBGMX1lBOwhhoDrZynfROxnhnM=")
	f(46, "1.2.3.4:0", "5.6.7.8:0", ICMP{}, "1:ikv3kmf89luf73WPz1jOs49S768=")
	if got := CommunityID(&Record{Proto: TCP}); got != "" {
		t.Errorf("no addresses: got %s", got)
	}
}
