//go:build ignore
// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* This file contains the programs that hand DNS messages to user space. They are attached beside
 * the capture programs, and not loaded where nobody asks for DNS. */

#include "kernel.h"

/* The kernel knows the dual licence by its GPL half. */
char _license[] SEC("license") = "GPL v2";

/* TC_ACT_UNSPEC of clsact and TCX_NEXT are the same number: the next program decides. */
#define NEXT (-1)

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define ETH_LENGTH 14
#define VLAN_LENGTH 4
#define MAX_VLAN_TAGS 2
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_FRAGMENT 44
#define IPV4_FRAGMENT 0x3fff
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define UDP_LENGTH 8
#define TCP_LENGTH 20
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04

/* Ports of resolvers; 0 is none. */
#define DNS_PORTS 4
/* So much of a packet's payload is handed over: more than a datagram that comes in one piece. */
#define DNS_PAYLOAD 4096
/* The ring's size, and how much must lie in it for user space to be woken; else it comes by itself.
 */
#define DNS_RING (1 << 22)
#define DNS_WAKE (DNS_RING / 8)

const volatile __u16 config_dns_ports[DNS_PORTS] = { 53 };

enum dns_error {
	DNS_ERROR_RING_FULL,
	DNS_ERROR_CUT,
	DNS_ERROR_FRAGMENT,
	DNS_ERROR_MAX
};

/* dns_event is one packet. Ports are in host byte order. IPv4 addresses are mapped into
 * ::ffff:0:0/96. */
struct dns_event {
	__u64 time_ns;
	__u8 src[16];
	__u8 dst[16];
	__u16 sport;
	__u16 dport;
	__u32 ifindex;
	/* Sequence number of the payload's first byte, for TCP. */
	__u32 seq;
	/* Length of the payload, of which the first captured bytes follow. */
	__u16 length;
	__u16 captured;
	__u8 proto;
	__u8 egress;
	__u8 tcp_flags;
	__u8 pad[5];
	__u8 payload[DNS_PAYLOAD];
};
_Static_assert(sizeof(struct dns_event) == 64 + DNS_PAYLOAD, "no padding");
#define DNS_HEAD (sizeof(struct dns_event) - DNS_PAYLOAD)

/* These put the types into the object's BTF, from which the Go side is made. */
const enum dns_error *btf_dns_error __attribute__((unused));
const struct dns_event *btf_dns_event __attribute__((unused));

/* Messages, in the order in which they passed. When full, a message is counted as lost. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DNS_RING);
} seine_dns SEC(".maps");

/* Where an event is made, whose length the ring must not know beforehand. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dns_event);
} seine_dns_event SEC(".maps");

/* Reason -> how often. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DNS_ERROR_MAX);
	__type(key, __u32);
	__type(value, __u64);
} seine_dns_errors SEC(".maps");

static __always_inline void count_error(enum dns_error reason)
{
	__u32 key = reason;
	__u64 *n = bpf_map_lookup_elem(&seine_dns_errors, &key);

	if (n)
		(*n)++;
}

static __always_inline bool is_dns(__u16 port)
{
	for (int i = 0; i < DNS_PORTS; i++) {
		if (config_dns_ports[i] && config_dns_ports[i] == port)
			return true;
	}
	return false;
}

struct ipv4_header {
	__u8 version_length;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 proto;
	__be16 checksum;
	__u8 src[4];
	__u8 dst[4];
};

struct ipv6_header {
	__u8 version;
	__u8 flow[3];
	__be16 payload_length;
	__u8 proto;
	__u8 hop_limit;
	__u8 src[16];
	__u8 dst[16];
};

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 fragment;
	__be32 id;
};

struct ports {
	__be16 source;
	__be16 dest;
};

static __always_inline bool concerns_dns(const struct ports *p)
{
	return is_dns(bpf_ntohs(p->source)) || is_dns(bpf_ntohs(p->dest));
}

struct tcp_header {
	struct ports ports;
	__be32 seq;
	__be32 ack;
	__u8 offset;
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};

/* place is where in a packet its parts begin. end is behind the IP packet, which padding of the
 * link layer may follow. */
struct place {
	__u32 network;
	__u32 transport;
	__u32 end;
	__u8 proto;
	bool ipv6;
	bool fragment;
	bool later;
};

static __always_inline long load(struct __sk_buff *skb, __u32 offset, void *to, __u32 n)
{
	return bpf_skb_load_bytes(skb, offset, to, n);
}

static __always_inline bool find_ipv4(struct __sk_buff *skb, struct place *p)
{
	struct ipv4_header ip;
	__u16 fragment;

	if (load(skb, p->network, &ip, sizeof(ip)) || ip.version_length >> 4 != 4)
		return false;
	fragment = bpf_ntohs(ip.fragment);
	p->fragment = fragment & IPV4_FRAGMENT;
	p->later = fragment & IPV4_FRAGMENT_OFFSET;
	p->proto = ip.proto;
	p->transport = p->network + (ip.version_length & 0xf) * 4;
	p->end = p->network + bpf_ntohs(ip.total_length);
	return true;
}

/* find_ipv6 follows no extension header but that of a fragment: resolvers and their clients send no
 * others. */
static __always_inline bool find_ipv6(struct __sk_buff *skb, struct place *p)
{
	struct fragment_header f;
	struct ipv6_header ip;

	if (load(skb, p->network, &ip, sizeof(ip)) || ip.version >> 4 != 6)
		return false;
	p->ipv6 = true;
	p->proto = ip.proto;
	p->transport = p->network + sizeof(ip);
	p->end = p->transport + bpf_ntohs(ip.payload_length);
	if (ip.proto == PROTO_FRAGMENT) {
		if (load(skb, p->transport, &f, sizeof(f)))
			return false;
		p->fragment = true;
		p->later = bpf_ntohs(f.fragment) & IPV6_FRAGMENT_OFFSET;
		p->proto = f.next;
		p->transport += sizeof(f);
	}
	return true;
}

static __always_inline bool find_network(struct __sk_buff *skb, bool has_link_layer,
					 struct place *p)
{
	__be16 proto = skb->protocol;

	if (has_link_layer) {
		if (load(skb, ETH_LENGTH - 2, &proto, sizeof(proto)))
			return false;
		p->network = ETH_LENGTH;
		for (int i = 0; i < MAX_VLAN_TAGS; i++) {
			if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
				break;
			if (load(skb, p->network + 2, &proto, sizeof(proto)))
				return false;
			p->network += VLAN_LENGTH;
		}
	}
	if (proto == bpf_htons(ETH_P_IP))
		return find_ipv4(skb, p);
	return proto == bpf_htons(ETH_P_IPV6) && find_ipv6(skb, p);
}

static __always_inline void map_ipv4(__u8 to[16], const __u8 from[4])
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, from, 4);
}

static __always_inline bool put_addresses(struct __sk_buff *skb, const struct place *p,
					  struct dns_event *e)
{
	struct ipv4_header ip;

	if (p->ipv6)
		return !load(skb, p->network + 8, e->src, 16) &&
		       !load(skb, p->network + 24, e->dst, 16);
	if (load(skb, p->network, &ip, sizeof(ip)))
		return false;
	map_ipv4(e->src, ip.src);
	map_ipv4(e->dst, ip.dst);
	return true;
}

/* put_transport reads the transport header and returns where its payload begins; 0 if nothing of it
 * matters. */
static __always_inline __u32 put_transport(struct __sk_buff *skb, const struct place *p,
					   struct dns_event *e)
{
	struct tcp_header tcp;
	__u32 payload;

	e->tcp_flags = 0;
	e->seq = 0;
	if (p->proto == PROTO_UDP)
		return p->transport + UDP_LENGTH;
	if (load(skb, p->transport, &tcp, sizeof(tcp)))
		return 0;
	payload = p->transport + (tcp.offset >> 4) * 4;
	e->tcp_flags = tcp.flags;
	e->seq = bpf_ntohl(tcp.seq);
	if (payload >= p->end && !(tcp.flags & (TCP_SYN | TCP_FIN | TCP_RST)))
		return 0;
	return payload;
}

static __always_inline void send(struct dns_event *e, __u32 captured)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_query(&seine_dns, BPF_RB_AVAIL_DATA) >= DNS_WAKE)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&seine_dns, e, DNS_HEAD + captured, flags))
		count_error(DNS_ERROR_RING_FULL);
}

/* hand_over is a function of its own, so that other packets take a short way. */
SUBPROGRAM hand_over(struct __sk_buff *skb, const struct place *p, bool egress)
{
	__u32 zero = 0, payload, length, captured, last;
	struct dns_event *e = bpf_map_lookup_elem(&seine_dns_event, &zero);
	struct ports ports;

	if (!e || load(skb, p->transport, &ports, sizeof(ports)) || !put_addresses(skb, p, e))
		return 0;
	if (p->fragment)
		count_error(DNS_ERROR_FRAGMENT);
	payload = put_transport(skb, p, e);
	if (!payload)
		return 0;
	e->time_ns = bpf_ktime_get_ns();
	e->sport = bpf_ntohs(ports.source);
	e->dport = bpf_ntohs(ports.dest);
	e->ifindex = skb->ifindex;
	e->proto = p->proto;
	e->egress = egress;
	/* An offloaded super-packet's own length may not be in its header. */
	length = skb->len;
	/* Else the compiler makes one load of two, from pointers of two kinds. */
	barrier_var(length);
	if ((p->proto != PROTO_TCP || skb->gso_segs <= 1) && length > p->end)
		length = p->end;
	length = length > payload ? length - payload : 0;
	e->length = length;
	captured = length;
	if (captured > DNS_PAYLOAD) {
		captured = DNS_PAYLOAD;
		count_error(DNS_ERROR_CUT);
	}
	e->captured = captured;
	/* The compiler would else prove the bound away that the verifier needs. */
	barrier_var(captured);
	last = captured - 1;
	/* The verifier, up to Linux 6.12 at least, learns only so that there is a byte to load. */
	barrier_var(last);
	if (last < DNS_PAYLOAD && load(skb, payload, e->payload, last + 1))
		return 0;
	if (captured <= DNS_PAYLOAD)
		send(e, captured);
	return 0;
}

/* passes_by_ipv4 and passes_by_ipv6 get a header that lies in the packet's linear part. */
static __always_inline bool passes_by_ipv4(const struct ipv4_header *ip, const void *end)
{
	const struct ports *ports = (const void *)(ip + 1);

	if ((const void *)(ports + 1) > end || ip->version_length != 0x45)
		return false;
	if (ip->proto != PROTO_UDP && ip->proto != PROTO_TCP)
		return true;
	return (ip->fragment & bpf_htons(IPV4_FRAGMENT_OFFSET)) || !concerns_dns(ports);
}

static __always_inline bool passes_by_ipv6(const struct ipv6_header *ip, const void *end)
{
	const struct ports *ports = (const void *)(ip + 1);

	if ((const void *)(ports + 1) > end || ip->proto == PROTO_FRAGMENT)
		return false;
	return (ip->proto != PROTO_UDP && ip->proto != PROTO_TCP) || !concerns_dns(ports);
}

/* passes_by tells with a few loads that a packet is none of DNS, as nearly all are. Where the
 * linear part is too short or the headers are not plain it does not know, and says no. */
static __always_inline bool passes_by(struct __sk_buff *skb, bool has_link_layer)
{
	const void *at = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
	__be16 proto;

	if (has_link_layer) {
		if (at + ETH_LENGTH > end)
			return false;
		proto = *(const __be16 *)(at + ETH_LENGTH - 2);
		at += ETH_LENGTH;
	} else {
		proto = skb->protocol;
	}
	if (proto == bpf_htons(ETH_P_IP))
		return passes_by_ipv4(at, end);
	if (proto == bpf_htons(ETH_P_IPV6))
		return passes_by_ipv6(at, end);
	return proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD);
}

static __always_inline int watch(struct __sk_buff *skb, bool egress, bool has_link_layer)
{
	struct place p = {};
	struct ports ports;

	if (passes_by(skb, has_link_layer))
		return NEXT;
	if (!find_network(skb, has_link_layer, &p) || p.later)
		return NEXT;
	if (p.proto != PROTO_UDP && p.proto != PROTO_TCP)
		return NEXT;
	if (load(skb, p.transport, &ports, sizeof(ports)))
		return NEXT;
	if (concerns_dns(&ports))
		hand_over(skb, &p, egress);
	return NEXT;
}

SEC("tc")
int seine_dns_in(struct __sk_buff *skb)
{
	return watch(skb, false, true);
}

SEC("tc")
int seine_dns_out(struct __sk_buff *skb)
{
	return watch(skb, true, true);
}

/* Devices without a link layer: tun, wireguard, ipip. */
SEC("tc")
int seine_dns_in_l3(struct __sk_buff *skb)
{
	return watch(skb, false, false);
}

SEC("tc")
int seine_dns_out_l3(struct __sk_buff *skb)
{
	return watch(skb, true, false);
}
