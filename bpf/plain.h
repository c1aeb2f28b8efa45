/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the parser of plain packets, which nearly all are: TCP or UDP right behind an
 * IPv4 header without options or an IPv6 header, no fragment, no VLAN tag in the data, all headers
 * in the linear part. It reads what parse() would, in a few straight steps; what it turns down is
 * parsed in full. */
#pragma once

#include "parse.h"

/* Version 4 and five words of header. */
#define IPV4_PLAIN 0x45

/* plain_transport reads the ports, and TCP's flags; at lies offset bytes behind the packet's begin.
 */
static __always_inline bool plain_transport(const __u8 *at, const __u8 *end, __u32 offset,
					    struct packet *p)
{
	const struct tcp_header *tcp = (const void *)at;

	if (at + UDP_LENGTH > end)
		return false;
	p->tuple.sport = bpf_ntohs(tcp->sport);
	p->tuple.dport = bpf_ntohs(tcp->dport);
	if (p->proto == PROTO_UDP) {
		p->headers = offset + UDP_LENGTH;
		return true;
	}
	if (p->proto != PROTO_TCP || at + TCP_READ > end)
		return false;
	p->tcp_flags = tcp->flags;
	p->headers = offset + (tcp->offset >> 4) * 4;
	/* Resets and closed windows are counted by the long way. */
	return (tcp->flags & (TCP_SYN | TCP_ACK)) != TCP_SYN && !(tcp->flags & TCP_RST) &&
	       tcp->window;
}

static __always_inline bool plain_ipv4(const __u8 *at, const __u8 *end, __u32 offset,
				       struct packet *p)
{
	const struct ipv4_header *ip = (const void *)at;

	if (at + sizeof(*ip) > end || ip->version_length != IPV4_PLAIN ||
	    ip->fragment & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET))
		return false;
	map_ipv4(&p->tuple.src, ip->src);
	map_ipv4(&p->tuple.dst, ip->dst);
	p->proto = ip->proto;
	return plain_transport(at + sizeof(*ip), end, offset + sizeof(*ip), p);
}

static __always_inline bool plain_ipv6(const __u8 *at, const __u8 *end, __u32 offset,
				       struct packet *p)
{
	const struct ipv6_header *ip = (const void *)at;

	if (at + sizeof(*ip) > end || ip->version >> 4 != 6)
		return false;
	p->tuple.src = ip->src;
	p->tuple.dst = ip->dst;
	p->proto = ip->proto;
	return plain_transport(at + sizeof(*ip), end, offset + sizeof(*ip), p);
}

/* parse_plain returns whether the packet is plain, opens no connection, and tells of no trouble. */
static __always_inline bool parse_plain(struct __sk_buff *skb, bool has_link_layer,
					struct packet *p)
{
	const __u8 *at = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 offset = has_link_layer ? ETH_LENGTH : 0;
	__be16 ethertype = skb->protocol;

	if (has_link_layer) {
		if (at + ETH_LENGTH > end)
			return false;
		ethertype = *(const __be16 *)(at + ETH_PROTO_OFFSET);
	}
	if (ethertype == bpf_htons(ETH_P_IP))
		return plain_ipv4(at + offset, end, offset, p);
	if (ethertype == bpf_htons(ETH_P_IPV6))
		return plain_ipv6(at + offset, end, offset, p);
	return false;
}
