package flow

import "net/netip"

// The records that the tests write. All but the last are a connection to a Service, each in another way.

func sampleTCP() Record {
	return Record{
		Start: 1772366400000000001, End: 1772366404500000000,
		Proto: TCP,
		Src: Endpoint{
			Addr: netip.MustParseAddr("10.244.1.7"), Port: 40002,
			Identity: Identity{
				Kind: Pod, Namespace: "shop", Name: "front-7d9f", Workload: Workload{"Deployment", "front"},
				Node: "worker-1", Zone: "eu-west-1a", App: "shop-frontend", ResolvedBy: ByPodIP,
			},
		},
		Dst: Endpoint{
			Addr: netip.MustParseAddr("10.96.0.20"), Port: 80,
			Identity: Identity{Kind: Service, Namespace: "shop", Name: "cart", ResolvedBy: ByServiceIP},
		},
		Backend: Endpoint{
			Addr: netip.MustParseAddr("10.244.2.9"), Port: 8080,
			Identity: Identity{
				Kind: Pod, Namespace: "shop", Name: "cart-5c6d8", Workload: Workload{"Deployment", "cart"},
				Node: "worker-2", Zone: "eu-west-1b", Service: "cart", ResolvedBy: ByPodIP,
			},
		},
		SNAT: netip.MustParseAddrPort("10.244.1.7:40002"),
		NAT:  DNAT, NATSource: KFunc, OrientedBy: ByConntrack,
		Fwd: Volume{Bytes: 1200, Packets: 7}, Rev: Volume{Bytes: 1500000, Packets: 1001},
		TCPFlags: SYN | ACK | PSH,
		Node:     "worker-1", Iface: "veth1a2b", Reporter: Client, Primary: true, Sampling: 1,
	}
}

// sampleSNAT is an IPv6 connection to the outside, masqueraded by the node, with nothing back.
func sampleSNAT() Record {
	src, dst := netip.MustParseAddrPort("[fd00:10::7]:5353"), netip.MustParseAddrPort("[2001:db8::1]:53")
	r := plain(UDP, src, dst)
	r.Src.Identity = Identity{Kind: Node, Name: "worker-1", Node: "worker-1", ResolvedBy: ByNodeIP}
	r.Dst.Identity = Identity{Kind: External, Subnet: `office, "north"`, ResolvedBy: BySubnet}
	r.Backend.Identity = r.Dst.Identity
	r.SNAT = netip.MustParseAddrPort("[2001:db8:f::1]:61000")
	r.NAT, r.NATSource, r.Zone = SNAT, CTNetlink, 3
	r.Rev = Volume{}
	return r
}

// samplePing has nothing but what the kernel told.
func samplePing() Record {
	r := plain(ICMPv4, netip.MustParseAddrPort("192.0.2.1:0"), netip.MustParseAddrPort("192.0.2.2:0"))
	r.ICMP = ICMP{Type: 8, ID: 4711}
	return r
}

// plain returns an untranslated connection without identities, seen in passing.
func plain(proto Proto, src, dst netip.AddrPort) Record {
	end := Endpoint{Addr: dst.Addr(), Port: dst.Port()}
	return Record{
		Start: 1772366400000000000, End: 1772366401000000000,
		Proto: proto,
		Src:   Endpoint{Addr: src.Addr(), Port: src.Port()}, Dst: end, Backend: end, SNAT: src,
		OrientedBy: ByFirstPacket,
		Fwd:        Volume{Bytes: 98, Packets: 1}, Rev: Volume{Bytes: 98, Packets: 1},
		Node: "worker-1", Iface: "eth0", Reporter: Transit, Sampling: 10,
	}
}

// sampleTroubled is a connection that does not fare well, between two processes of the node.
func sampleTroubled() Record {
	r := sampleTCP()
	r.Src.Process = Process{
		PID: 4711, Name: "front", Container: "3f4c6a1be0d2", Runtime: Containerd,
		PodUID: "0b9ad5c2-6f0e-4bd5-9a26-4a1a0a8a4c11",
	}
	r.Backend.Process = Process{PID: 812, Name: "cart", Unit: "cart.service"}
	r.TCP = TCPHealth{
		State: TCPClose, RTT: 850, MinRTT: 410, Handshake: 1200, Lifetime: 5310000,
		Resets: 1, ResetBy: ResetByServer, Connect: ConnectOK, ListenDrops: 3,
	}
	r.FwdFaults = Faults{Retransmits: 1, DropPackets: 2, DropBytes: 3, ZeroWindows: 4, OutOfOrder: 5}
	r.RevFaults = Faults{Retransmits: 10, DropPackets: 20, DropBytes: 30, ZeroWindows: 40, OutOfOrder: 50}
	return r
}
