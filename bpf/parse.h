/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the parser of transport headers: ports, TCP, SCTP, ICMP with the packet that
 * an error quotes, and what the fragments of a packet share; and parse, which does all. */
#pragma once

#include "network.h"

static __always_inline bool has_ports(__u8 proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP ||
	       proto == PROTO_UDPLITE || proto == PROTO_DCCP;
}

static __always_inline bool is_icmp(__u8 proto)
{
	return proto == PROTO_ICMP || proto == PROTO_ICMPV6;
}

struct tcp_header {
	__be16 sport;
	__be16 dport;
	__be32 seq;
	__be32 ack;
	__u8 offset;
	__u8 flags;
	__be16 window;
};

static __always_inline int parse_tcp(struct __sk_buff *skb, struct cursor *c, struct packet *p)
{
	struct tcp_header h;

	if (load(skb, c->offset, &h, sizeof(h)))
		return -1;
	p->tuple.sport = bpf_ntohs(h.sport);
	p->tuple.dport = bpf_ntohs(h.dport);
	p->tcp_flags = h.flags;
	p->seq = bpf_ntohl(h.seq);
	p->headers = c->offset + (h.offset >> 4) * 4;
	p->opens = (h.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	p->zero_window = !h.window && !(h.flags & (TCP_SYN | TCP_RST));
	return 0;
}

static __always_inline int parse_ports(struct __sk_buff *skb, struct cursor *c, struct tuple *t)
{
	__be16 ports[2];

	if (load(skb, c->offset, ports, sizeof(ports)))
		return -1;
	t->sport = bpf_ntohs(ports[0]);
	t->dport = bpf_ntohs(ports[1]);
	return 0;
}

/* parse_udp serves every protocol that begins with its ports. */
static __always_inline int parse_udp(struct __sk_buff *skb, struct cursor *c, struct packet *p)
{
	p->headers = c->offset + UDP_LENGTH;
	return parse_ports(skb, c, &p->tuple);
}

/* parse_sctp looks at the first chunk, too: INIT stands alone in its packet (RFC 9260, 6.10). */
static __always_inline int parse_sctp(struct __sk_buff *skb, struct cursor *c, struct packet *p)
{
	__u8 chunk = 0;

	if (parse_ports(skb, c, &p->tuple))
		return -1;
	p->opens = !load(skb, c->offset + SCTP_LENGTH, &chunk, sizeof(chunk)) && chunk == SCTP_INIT;
	return 0;
}

struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id;
	__be16 sequence;
};

/* icmp_query returns the request's type where type is a query that conntrack tracks, or its reply;
 * else -1. (nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c: the same pairs.) */
static __always_inline int icmp_query(__u8 proto, __u8 type)
{
	if (proto == PROTO_ICMPV6)
		return type == 128 || type == 129 ? 128 : -1;
	if (type == 0 || type == 8)
		return 8;
	if (type >= 13 && type <= 18)
		return type & 1 ? type : type - 1;
	return -1;
}

static __always_inline bool icmp_quotes(__u8 proto, __u8 type)
{
	if (proto == PROTO_ICMPV6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* read_quoted reads the packet that an ICMP error quotes: its tuple lies the other way round, so
 * its source port is the port of the error's destination. IPv6 extension headers in it are not
 * followed. */
static __always_inline void read_quoted(struct __sk_buff *skb, struct packet *p)
{
	struct cursor in = { .offset = p->cursor.offset + sizeof(struct icmp_header) };
	struct tuple quoted = {};
	struct icmp_header icmp;
	int failed;

	if (p->proto == PROTO_ICMP)
		failed = parse_ipv4(skb, &in, &quoted);
	else
		failed = parse_ipv6_fixed(skb, &in, &quoted);
	if (failed || in.later_fragment)
		return;
	if (has_ports(in.proto)) {
		if (parse_ports(skb, &in, &quoted))
			return;
	} else if (in.proto == p->proto) {
		if (load(skb, in.offset, &icmp, sizeof(icmp)) ||
		    icmp_query(in.proto, icmp.type) < 0)
			return;
		quoted.sport = quoted.dport = bpf_ntohs(icmp.id);
	} else {
		return;
	}
	p->tuple.sport = quoted.dport;
	p->tuple.dport = quoted.sport;
	p->quoted_dst = quoted.dst;
	p->quoted_proto = in.proto;
}

/* parse_quoted is read_quoted on the packet in hand. */
__noinline int parse_quoted(struct __sk_buff *skb)
{
	struct packet *p = packet_in_hand();

	if (p)
		read_quoted(skb, p);
	return 0;
}

/* find_fragment gives a fragment without a transport header what the first one carried. */
static __always_inline void find_fragment(struct packet *p, const struct fragment_key *key)
{
	struct fragment_value *first = bpf_map_lookup_elem(&seine_fragments, key);

	if (!first) {
		count_error(ERROR_FRAGMENT_UNKNOWN);
		return;
	}
	p->tuple.sport = first->sport;
	p->tuple.dport = first->dport;
	p->proto = first->proto;
	p->icmp_type = first->icmp_type;
	p->icmp_code = first->icmp_code;
	p->sent_type = first->sent_type;
	p->has_type = is_icmp(first->proto);
}

static __always_inline void keep_fragment(const struct packet *p, const struct fragment_key *key)
{
	struct fragment_value first = {
		.sport = p->tuple.sport,
		.dport = p->tuple.dport,
		.proto = p->proto,
		.icmp_type = p->icmp_type,
		.icmp_code = p->icmp_code,
		.sent_type = p->sent_type,
	};

	bpf_map_update_elem(&seine_fragments, key, &first, BPF_ANY);
}

/* join_fragments carries what the first fragment tells over to the others of one packet, on the
 * packet in hand. */
__noinline int join_fragments(struct __sk_buff *skb)
{
	struct packet *p = packet_in_hand();
	struct fragment_key key = {};

	if (!p || !skb)
		return 0;
	key.src = p->tuple.src;
	key.dst = p->tuple.dst;
	key.id = p->cursor.fragment;
	key.proto = p->cursor.fragment_proto;
	if (p->cursor.later_fragment)
		find_fragment(p, &key);
	else
		keep_fragment(p, &key);
	return 0;
}

/* The rare ways of a packet. */
enum rare {
	EXTENSIONS,
	FRAGMENTS,
	QUOTED
};

/* by_hand lets a function work on a packet that the verifier looks at by itself. */
static __always_inline void by_hand(struct __sk_buff *skb, struct packet *p, enum rare way)
{
	struct packet *hand = packet_in_hand();

	if (!hand)
		return;
	*hand = *p;
	if (way == EXTENSIONS)
		follow_extensions(skb);
	else if (way == FRAGMENTS)
		join_fragments(skb);
	else
		parse_quoted(skb);
	*p = *hand;
}

static __always_inline int parse_icmp(struct __sk_buff *skb, struct cursor *c, struct packet *p)
{
	struct icmp_header h;
	int query;

	if (load(skb, c->offset, &h, sizeof(h)))
		return -1;
	p->icmp_type = h.type;
	p->icmp_code = h.code;
	p->sent_type = h.type;
	p->has_type = true;
	query = icmp_query(p->proto, h.type);
	if (query >= 0) {
		p->opens = h.type == query;
		p->icmp_type = query;
		p->tuple.sport = p->tuple.dport = bpf_ntohs(h.id);
	} else if (icmp_quotes(p->proto, h.type)) {
		p->cursor = *c;
		by_hand(skb, p, QUOTED);
	}
	return 0;
}

static __always_inline void parse_transport(struct __sk_buff *skb, struct cursor *c,
					    struct packet *p)
{
	int failed = 0;

	p->proto = c->proto;
	if (c->later_fragment) {
		if (has_ports(p->proto) || is_icmp(p->proto) || is_extension(p->proto)) {
			p->cursor = *c;
			by_hand(skb, p, FRAGMENTS);
		}
		return;
	}
	if (p->proto == PROTO_TCP)
		failed = parse_tcp(skb, c, p);
	else if (p->proto == PROTO_SCTP)
		failed = parse_sctp(skb, c, p);
	else if (has_ports(p->proto))
		failed = parse_udp(skb, c, p);
	else if (is_icmp(p->proto))
		failed = parse_icmp(skb, c, p);
	if (failed)
		count_error(ERROR_TRUNCATED);
	else if (c->first_fragment && (has_ports(p->proto) || is_icmp(p->proto))) {
		p->cursor = *c;
		by_hand(skb, p, FRAGMENTS);
	}
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct packet *p, struct cursor *c)
{
	if (parse_ipv6_fixed(skb, c, &p->tuple))
		return -1;
	if (is_extension(c->proto)) {
		p->cursor = *c;
		by_hand(skb, p, EXTENSIONS);
		*c = p->cursor;
	}
	return 0;
}

static __always_inline int parse_network(struct __sk_buff *skb, struct packet *p, struct cursor *c,
					 __u16 ethertype)
{
	if (ethertype == ETH_P_IP)
		return parse_ipv4(skb, c, &p->tuple);
	return parse_ipv6(skb, p, c);
}

static __always_inline int parse(struct __sk_buff *skb, bool has_link_layer, struct packet *p)
{
	struct cursor c = {};
	__u16 ethertype = has_link_layer ? link_layer(skb, &c) : bpf_ntohs(skb->protocol);

	if (ethertype != ETH_P_IP && ethertype != ETH_P_IPV6)
		return 1 + UNCOUNTED_NOT_IP;
	if (parse_network(skb, p, &c, ethertype))
		return 1 + UNCOUNTED_MALFORMED;
	parse_transport(skb, &c, p);
	return 0;
}
