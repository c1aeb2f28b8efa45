//go:build ignore
// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* This file contains the program that counts the packets which the kernel drops, by connection,
 * reason and function. It is not loaded where nobody asks for drops. */

#include "conntrack.h"

/* The kernel knows the dual licence by its GPL half. */
char _license[] SEC("license") = "GPL v2";

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_SCTP 132
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_LENGTH 40
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define PROTO_HOPOPTS 0
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_AH 51
#define PROTO_DSTOPTS 60
#define MAX_EXTENSION_HEADERS 8

/* The tracepoint tells the reason (Linux 5.17). */
const volatile bool config_drop_reason = false;

/* The network namespace whose conntrack entries are read, 0 where none are: the kernel may have no
 * struct nf_conn. */
const volatile __u32 config_conntrack_netns = 0;

enum drop_error {
	DROP_ERROR_FULL,
	DROP_ERROR_NOT_IP,
	DROP_ERROR_MAX
};

struct net_device___drop {
	int ifindex;
	struct {
		struct net *net;
	} nd_net;
} KERNEL_TYPE;

struct sock_common___drop {
	struct {
		struct net *net;
	} skc_net;
} KERNEL_TYPE;

struct sock___drop {
	struct sock_common___drop __sk_common;
} KERNEL_TYPE;

struct dst_entry___drop {
	struct net_device___drop *dev;
} KERNEL_TYPE;

struct sk_buff___drop {
	struct net_device___drop *dev;
	struct sock___drop *sk;
	unsigned long _skb_refdst;
	unsigned long _nfct;
	unsigned int len;
	__be16 protocol;
	__u16 network_header;
	unsigned int tail;
	unsigned int end;
	unsigned char *head;
} KERNEL_TYPE;

struct skb_shared_info___drop {
	unsigned short gso_segs;
} KERNEL_TYPE;

/* drop_key has the addresses that the packet bore. Ports are in host byte order; the identifier of
 * an ICMP echo stands in both. IPv4 addresses are mapped into ::ffff:0:0/96. */
struct drop_key {
	__u8 src[16];
	__u8 dst[16];
	__u64 location;
	__u32 reason;
	__u32 netns;
	__u32 ifindex;
	__u16 sport;
	__u16 dport;
	__u8 proto;
	__u8 pad[7];
};
_Static_assert(sizeof(struct drop_key) == 64, "no padding");

/* Bytes are those of IP packets, packets those on the wire. entry is the first packet's conntrack
 * entry, if that dies with the packet: proto 0 is none. */
struct drop_value {
	__u64 packets;
	__u64 bytes;
	__u64 first_ns;
	__u64 last_ns;
	struct nat_info entry;
};

/* These put the types into the object's BTF, from which the Go side is made. */
const enum drop_error *btf_drop_error __attribute__((unused));
const struct drop_key *btf_drop_key __attribute__((unused));
const struct drop_value *btf_drop_value __attribute__((unused));

/* Packets of a connection, reason and function -> how many since the entry is there. User space
 * reads the growth, and deletes what has stopped growing. When full, packets are counted as not
 * told. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct drop_key);
	__type(value, struct drop_value);
} seine_drops SEC(".maps");

/* Reason -> how often. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_ERROR_MAX);
	__type(key, __u32);
	__type(value, __u64);
} seine_drop_errors SEC(".maps");

static __always_inline void count_error(enum drop_error reason)
{
	__u32 key = reason;
	__u64 *n = bpf_map_lookup_elem(&seine_drop_errors, &key);

	if (n)
		(*n)++;
}

static __always_inline bool has_ports(__u8 proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
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

/* netns_of finds the network namespace in which the packet was: its device's, else its socket's,
 * else that of the device it was to leave by. */
static __always_inline __u32 netns_of(struct sk_buff___drop *skb, __u32 *ifindex)
{
	struct net_device___drop *dev = BPF_CORE_READ(skb, dev);
	struct sock___drop *sk = BPF_CORE_READ(skb, sk);
	struct dst_entry___drop *dst;

	if (!dev && !sk) {
		dst = (void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);
		dev = dst ? BPF_CORE_READ(dst, dev) : NULL;
	}
	if (dev) {
		*ifindex = BPF_CORE_READ(dev, ifindex);
		return BPF_CORE_READ(dev, nd_net.net, ns.inum);
	}
	return sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) : 0;
}

/* part is what is left of the packet's linear part, from the header in hand. */
struct part {
	const unsigned char *at;
	const unsigned char *end;
};

/* take reads a header, as far as it lies in the linear part. */
static __always_inline bool take(const struct part *p, void *to, __u32 n)
{
	return p->at + n <= p->end && !bpf_probe_read_kernel(to, n, p->at);
}

static __always_inline void read_transport(const struct part *p, struct drop_key *key)
{
	struct {
		__be16 first;
		__be16 second;
		__be16 third;
	} h;
	__u8 type;

	if (!take(p, &h, sizeof(h)))
		return;
	if (has_ports(key->proto)) {
		key->sport = bpf_ntohs(h.first);
		key->dport = bpf_ntohs(h.second);
		return;
	}
	type = bpf_ntohs(h.first) >> 8;
	if ((key->proto == PROTO_ICMP && (type == 0 || type == 8)) ||
	    (key->proto == PROTO_ICMPV6 && (type == 128 || type == 129)))
		key->sport = key->dport = bpf_ntohs(h.third);
}

/* read_ipv4 and read_ipv6 return the length of the packet, or less if it cannot be read. */
static __always_inline long read_ipv4(struct part *p, struct drop_key *key)
{
	struct ipv4_header ip;

	if (!take(p, &ip, sizeof(ip)) || ip.version_length >> 4 != 4)
		return -1;
	key->src[10] = key->src[11] = key->dst[10] = key->dst[11] = 0xff;
	__builtin_memcpy(key->src + 12, ip.src, 4);
	__builtin_memcpy(key->dst + 12, ip.dst, 4);
	key->proto = ip.proto;
	p->at += (ip.version_length & 0xf) * 4;
	if (!(bpf_ntohs(ip.fragment) & IPV4_FRAGMENT_OFFSET))
		read_transport(p, key);
	return bpf_ntohs(ip.total_length);
}

static __always_inline bool is_extension(__u8 proto)
{
	return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
	       proto == PROTO_AH || proto == PROTO_DSTOPTS;
}

/* skip_extensions moves behind IPv6's extension headers, and tells whether the transport header is
 * there: a later fragment has none. */
static __always_inline bool skip_extensions(struct part *p, struct drop_key *key)
{
	for (int i = 0; i < MAX_EXTENSION_HEADERS && is_extension(key->proto); i++) {
		struct {
			__u8 next;
			__u8 length;
			__be16 fragment;
		} h;
		__u8 proto = key->proto;

		if (!take(p, &h, sizeof(h)))
			return false;
		key->proto = h.next;
		if (proto == PROTO_FRAGMENT && (bpf_ntohs(h.fragment) & IPV6_FRAGMENT_OFFSET))
			return false;
		/* RFC 4302: in units of four bytes, less two. */
		if (proto == PROTO_AH)
			p->at += (h.length + 2) * 4;
		else
			p->at += proto == PROTO_FRAGMENT ? 8 : (h.length + 1) * 8;
	}
	return !is_extension(key->proto);
}

static __always_inline long read_ipv6(struct part *p, struct drop_key *key)
{
	struct ipv6_header ip;

	if (!take(p, &ip, sizeof(ip)) || ip.version >> 4 != 6)
		return -1;
	__builtin_memcpy(key->src, ip.src, 16);
	__builtin_memcpy(key->dst, ip.dst, 16);
	key->proto = ip.proto;
	p->at += IPV6_LENGTH;
	if (skip_extensions(p, key))
		read_transport(p, key);
	return IPV6_LENGTH + bpf_ntohs(ip.payload_length);
}

static __always_inline long read_packet(struct sk_buff___drop *skb, struct drop_key *key)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	struct part p = {
		.at = head + BPF_CORE_READ(skb, network_header),
		.end = head + BPF_CORE_READ(skb, tail),
	};
	__be16 protocol = BPF_CORE_READ(skb, protocol);

	if (protocol == bpf_htons(ETH_P_IP))
		return read_ipv4(&p, key);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return read_ipv6(&p, key);
	return -1;
}

/* read_dying reads the packet's conntrack entry where conntrack has not confirmed it. Such an entry
 * goes with its packet, so no other source tells of it. A template is no connection's. */
static __always_inline void read_dying(struct nat_info *to, struct sk_buff___drop *skb)
{
	struct nf_conn *ct = (void *)(BPF_CORE_READ(skb, _nfct) & NFCT_POINTER);

	if (!ct || BPF_CORE_READ(ct, status) & (IPS_CONFIRMED | IPS_TEMPLATE))
		return;
	if (BPF_CORE_READ(ct, ct_net.net, ns.inum) == config_conntrack_netns)
		read_entry(to, ct);
}

static __always_inline void count_drop(struct sk_buff___drop *skb, const struct drop_key *key,
				       __u64 packets, __u64 bytes)
{
	struct drop_value *v = bpf_map_lookup_elem(&seine_drops, key);
	struct drop_value zero = {};

	if (!v) {
		zero.first_ns = bpf_ktime_get_ns();
		if (config_conntrack_netns)
			read_dying(&zero.entry, skb);
		bpf_map_update_elem(&seine_drops, key, &zero, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&seine_drops, key);
	}
	if (!v) {
		count_error(DROP_ERROR_FULL);
		return;
	}
	v->last_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&v->bytes, bytes);
	__sync_fetch_and_add(&v->packets, packets);
}

/* kfree_skb(skb, location, reason): include/trace/events/skb.h. */
SEC("tp_btf/kfree_skb")
int seine_drop(__u64 *ctx)
{
	struct sk_buff___drop *skb = (void *)ctx[0];
	struct skb_shared_info___drop *info;
	struct drop_key key = { .location = ctx[1] };
	__u64 packets = 1;
	long bytes;

	if (config_drop_reason)
		key.reason = ctx[2];
	bytes = read_packet(skb, &key);
	if (bytes < 0) {
		count_error(DROP_ERROR_NOT_IP);
		return 0;
	}
	info = (void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));
	if (BPF_CORE_READ(info, gso_segs) > 1) {
		packets = BPF_CORE_READ(info, gso_segs);
		bytes = BPF_CORE_READ(skb, len);
	}
	key.netns = netns_of(skb, &key.ifindex);
	count_drop(skb, &key, packets, bytes);
	return 0;
}
