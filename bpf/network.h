/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the parser up to the transport header: link layer, VLAN tags, IPv4 options and
 * IPv6 extension headers. Every read is checked against the packet's end. */
#pragma once

#include "maps.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define ETH_PROTO_OFFSET 12
#define ETH_LENGTH 14
#define VLAN_LENGTH 4
#define MAX_VLAN_TAGS 2

#define PROTO_HOPOPTS 0
#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_DCCP 33
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_AH 51
#define PROTO_ICMPV6 58
#define PROTO_DSTOPTS 60
#define PROTO_SCTP 132
#define PROTO_MOBILITY 135
#define PROTO_UDPLITE 136
#define PROTO_HIP 139
#define PROTO_SHIM6 140
#define MAX_EXTENSION_HEADERS 8

#define IPV4_MIN_LENGTH 20
#define IPV6_LENGTH 40
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV6_FRAGMENT_OFFSET 0xfff8
/* Headers that start beyond this are not followed, which bounds every offset for the verifier. */
#define MAX_HEADER_OFFSET 1024

#define UDP_LENGTH 8
#define SCTP_LENGTH 12
#define SCTP_INIT 1
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
/* So much of a TCP header is read: to its window. */
#define TCP_READ 16

/* load copies n bytes at the offset, from the linear part if they lie there. Returns 0, or less
 * beyond the end. */
static __always_inline int load(struct __sk_buff *skb, __u32 offset, void *to, __u32 n)
{
	void *end = (void *)(long)skb->data_end;
	void *at = (void *)(long)skb->data;

	/* Else the compiler compares the number that the offset is computed from, and the verifier
	 * of Linux 6.1 does not see what that tells of the offset. */
	barrier_var(offset);
	if (offset > MAX_HEADER_OFFSET)
		return -1;
	at += offset;
	if (at + n > end)
		return bpf_skb_load_bytes(skb, offset, to, n);
	if (n % 4 == 0)
		__builtin_memcpy(to, __builtin_assume_aligned(at, 4), n);
	else
		__builtin_memcpy(to, __builtin_assume_aligned(at, 2), n);
	return 0;
}

/* link_layer moves the cursor to the network header and returns the ethertype, or 0. */
static __always_inline __u16 link_layer(struct __sk_buff *skb, struct cursor *c)
{
	__be16 proto;

	if (load(skb, ETH_PROTO_OFFSET, &proto, sizeof(proto)))
		return 0;
	c->offset = ETH_LENGTH;
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		if (load(skb, c->offset + 2, &proto, sizeof(proto)))
			return 0;
		c->offset += VLAN_LENGTH;
	}
	return bpf_ntohs(proto);
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
	__be32 src;
	__be32 dst;
};

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct cursor *c, struct tuple *t)
{
	struct ipv4_header ip;
	__u32 length;
	__u16 fragment;

	if (load(skb, c->offset, &ip, sizeof(ip)))
		return -1;
	length = (ip.version_length & 0xf) * 4;
	if (ip.version_length >> 4 != 4 || length < IPV4_MIN_LENGTH)
		return -1;
	map_ipv4(&t->src, ip.src);
	map_ipv4(&t->dst, ip.dst);
	fragment = bpf_ntohs(ip.fragment);
	c->later_fragment = fragment & IPV4_FRAGMENT_OFFSET;
	c->first_fragment = !c->later_fragment && (fragment & IPV4_MORE_FRAGMENTS);
	c->fragment = ip.id;
	c->fragment_proto = ip.proto;
	c->proto = ip.proto;
	c->offset += length;
	return 0;
}

struct ipv6_header {
	__u8 version;
	__u8 flow[3];
	__be16 payload_length;
	__u8 proto;
	__u8 hop_limit;
	struct addr src;
	struct addr dst;
};

static __always_inline bool is_extension(__u8 proto)
{
	return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
	       proto == PROTO_AH || proto == PROTO_DSTOPTS || proto == PROTO_MOBILITY ||
	       proto == PROTO_HIP || proto == PROTO_SHIM6;
}

struct extension_header {
	__u8 next;
	__u8 length;
	__be16 fragment;
	__be32 id;
};

/* skip_extension moves the cursor over one IPv6 extension header. Returns 0, or less if it is cut
 * short. */
static __always_inline int skip_extension(struct __sk_buff *skb, struct cursor *c)
{
	struct extension_header h;

	if (load(skb, c->offset, &h, sizeof(h)))
		return -1;
	if (c->proto == PROTO_FRAGMENT) {
		c->later_fragment = bpf_ntohs(h.fragment) & IPV6_FRAGMENT_OFFSET;
		c->first_fragment =
			!c->later_fragment && (bpf_ntohs(h.fragment) & IPV6_MORE_FRAGMENTS);
		c->fragment = h.id;
		c->fragment_proto = h.next;
		c->offset += sizeof(h);
	} else if (c->proto == PROTO_AH) {
		/* RFC 4302: in units of four bytes, less two. */
		c->offset += (h.length + 2) * 4;
	} else {
		c->offset += (h.length + 1) * 8;
	}
	c->proto = h.next;
	return 0;
}

/* parse_ipv6_fixed leaves the cursor behind the fixed header. */
static __always_inline int parse_ipv6_fixed(struct __sk_buff *skb, struct cursor *c,
					    struct tuple *t)
{
	struct ipv6_header ip;

	if (load(skb, c->offset, &ip, sizeof(ip)) || ip.version >> 4 != 6)
		return -1;
	t->src = ip.src;
	t->dst = ip.dst;
	c->proto = ip.proto;
	c->offset += IPV6_LENGTH;
	return 0;
}

/* follow_extensions moves the cursor of the packet in hand behind the last extension header. What
 * cannot be followed is counted without ports, under the protocol number reached. */
__noinline int follow_extensions(struct __sk_buff *skb)
{
	struct packet *p = packet_in_hand();

	if (!p)
		return 0;
	for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		if (!is_extension(p->cursor.proto) || p->cursor.later_fragment)
			return 0;
		if (skip_extension(skb, &p->cursor)) {
			count_error(ERROR_TRUNCATED);
			return 0;
		}
	}
	if (is_extension(p->cursor.proto))
		count_error(ERROR_EXTENSION_HEADERS);
	return 0;
}
