/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the filter: ordered rules, the first that matches decides. */
#pragma once

#include "parse.h"

static __always_inline bool is_mapped(const struct addr *a)
{
	return a->q[0] == 0 && a->w[2] == bpf_htonl(0xffff);
}

/* in_prefix holds no IPv4 address to be in an IPv6 prefix such as ::/0. */
static __always_inline bool in_prefix(const struct prefix *p, const struct addr *a)
{
	if (is_mapped(a) && !is_mapped(&p->addr))
		return false;
	return (a->q[0] & p->mask.q[0]) == p->addr.q[0] && (a->q[1] & p->mask.q[1]) == p->addr.q[1];
}

static __always_inline bool in_ranges(const struct port_range *ranges, __u16 port)
{
	for (int i = 0; i < RULE_RANGES; i++)
		if (port >= ranges[i].low && port <= ranges[i].high)
			return true;
	return false;
}

static __always_inline bool protocol_matches(const struct filter_rule *r, const struct packet *p)
{
	if ((r->flags & RULE_PROTO) && p->proto != r->proto)
		return false;
	if ((r->flags & (RULE_ICMP_TYPE | RULE_ICMP_CODE)) && !p->has_type)
		return false;
	if ((r->flags & RULE_ICMP_TYPE) && p->sent_type != r->icmp_type)
		return false;
	if ((r->flags & RULE_ICMP_CODE) && p->icmp_code != r->icmp_code)
		return false;
	return (p->tcp_flags & r->tcp_mask) == r->tcp_value;
}

static __always_inline bool addresses_match(const struct filter_rule *r, const struct tuple *t)
{
	if ((r->flags & RULE_SRC) && !in_prefix(&r->src, &t->src))
		return false;
	if ((r->flags & RULE_DST) && !in_prefix(&r->dst, &t->dst))
		return false;
	return !(r->flags & RULE_NET) || in_prefix(&r->net, &t->src) || in_prefix(&r->net, &t->dst);
}

/* ports_match is false where there are no ports: the tuple has an ICMP query's identifier in their
 * place. */
static __always_inline bool ports_match(const struct filter_rule *r, const struct packet *p)
{
	const struct tuple *t = &p->tuple;

	if ((r->flags & (RULE_SPORT | RULE_DPORT | RULE_PORT)) && !has_ports(p->proto))
		return false;
	if ((r->flags & RULE_SPORT) && !in_ranges(r->sport, t->sport))
		return false;
	if ((r->flags & RULE_DPORT) && !in_ranges(r->dport, t->dport))
		return false;
	return !(r->flags & RULE_PORT) || in_ranges(r->port, t->sport) ||
	       in_ranges(r->port, t->dport);
}

static __always_inline bool rule_matches(const struct filter_rule *r, const struct packet *p,
					 __u32 hook_flag)
{
	if ((r->flags & (RULE_INGRESS | RULE_EGRESS)) && !(r->flags & hook_flag))
		return false;
	return protocol_matches(r, p) && addresses_match(r, &p->tuple) && ports_match(r, p);
}

/* accepts judges the packet in hand. The verifier looks at it by itself, and knows nothing of what
 * lies in a map: with the packet on the stack, the paths of 16 rules would multiply. */
__noinline int accepts(struct __sk_buff *skb, __u32 hook_flag)
{
	struct packet *p = packet_in_hand();
	struct filter_rule *r;

	if (!p || !skb)
		return true;
	for (__u32 i = 0; i < MAX_RULES; i++) {
		__u32 key = i;

		if (i >= config_rules)
			break;
		r = bpf_map_lookup_elem(&seine_rules, &key);
		if (r && rule_matches(r, p, hook_flag))
			return r->flags & RULE_ACCEPT;
	}
	return config_default_accept;
}

static __always_inline bool accepted(struct __sk_buff *skb, const struct packet *p, enum hook hook)
{
	struct packet *hand = packet_in_hand();

	if (!hand)
		return true;
	*hand = *p;
	return accepts(skb, hook == HOOK_INGRESS ? RULE_INGRESS : RULE_EGRESS);
}
