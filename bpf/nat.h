/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the conntrack sources that work in the kernel: two that find the struct
 * nf_conn of a packet in the capture programs, and the probe on NAT itself. What is read from the
 * entry is the same: see conntrack.h. */
#pragma once

#include "conntrack.h"
#include "parse.h"

/* ct_options is the kernel's struct bpf_ct_opts as of Linux 5.18
 * (net/netfilter/nf_conntrack_bpf.c); later members were added behind it and the size tells which
 * is meant. */
struct ct_options {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};
#define CURRENT_NETNS (-1)

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;
extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
					 __u32 tuple_size, struct ct_options *options,
					 __u32 options_size) __ksym __weak;
extern void bpf_ct_release(struct nf_conn *ct) __ksym __weak;

/* take_entry resolves a flow. An entry that is not confirmed yet may still be translated. */
static __always_inline void take_entry(struct flow_value *v, const struct nf_conn *ct,
				       enum nat_means means)
{
	if (!(BPF_CORE_READ(ct, status) & IPS_CONFIRMED))
		return;
	read_entry(&v->nat, ct);
	barrier();
	v->nat_means = means;
}

/* resolve_by_skb takes the entry that netfilter left on the packet: any protocol, any zone. Packets
 * carry one after the netfilter hooks, so at egress, and at ingress behind a bridge or loopback. */
static __always_inline void resolve_by_skb(struct __sk_buff *ctx, struct flow_value *v)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);
	unsigned long entry = skb->_nfct & NFCT_POINTER;

	if (entry)
		take_entry(v, (struct nf_conn *)entry, NAT_BY_SKB);
}

/* socket_tuple writes a tuple, or its inverse, as the lookup wants it, and returns its size. */
static __always_inline __u32 socket_tuple(struct bpf_sock_tuple *to, const struct tuple *t,
					  bool inverse)
{
	const struct addr *src = inverse ? &t->dst : &t->src, *dst = inverse ? &t->src : &t->dst;
	__be16 sport = bpf_htons(inverse ? t->dport : t->sport);
	__be16 dport = bpf_htons(inverse ? t->sport : t->dport);

	if (is_mapped(&t->src)) {
		to->ipv4.saddr = src->w[3];
		to->ipv4.daddr = dst->w[3];
		to->ipv4.sport = sport;
		to->ipv4.dport = dport;
		return sizeof(to->ipv4);
	}
	__builtin_memcpy(to->ipv6.saddr, src, sizeof(to->ipv6.saddr));
	__builtin_memcpy(to->ipv6.daddr, dst, sizeof(to->ipv6.daddr));
	to->ipv6.sport = sport;
	to->ipv6.dport = dport;
	return sizeof(to->ipv6);
}

static __always_inline bool lookup(struct __sk_buff *skb, const struct packet *p, bool inverse,
				   struct flow_value *v)
{
	struct ct_options options = { .netns_id = CURRENT_NETNS, .l4proto = p->proto };
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *ct;

	if (socket_tuple(&tuple, &p->tuple, inverse) == sizeof(tuple.ipv4))
		ct = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &options, sizeof(options));
	else
		ct = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv6), &options, sizeof(options));
	if (!ct)
		return false;
	take_entry(v, ct, NAT_BY_LOOKUP);
	bpf_ct_release(ct);
	return true;
}

/* resolve_by_lookup asks conntrack for the packet's tuple, then for its inverse: before NAT a
 * packet is its entry's ORIGINAL or REPLY tuple, after NAT the inverse of the other one. A SYN may
 * still meet the entry of the tuple's last use, so it waits for the next packet. */
static __always_inline void resolve_by_lookup(struct __sk_buff *skb, const struct packet *p,
					      struct flow_value *v)
{
	if (p->proto != PROTO_TCP && p->proto != PROTO_UDP)
		return;
	if (p->opens || v->nat_tries > NAT_LOOKUPS)
		return;
	if (!lookup(skb, p, false, v))
		lookup(skb, p, true, v);
}

/* resolve tries to find the flow's conntrack entry. */
SUBPROGRAM resolve(struct __sk_buff *skb, const struct packet *p, struct flow_value *v)
{
	v->nat_tries++;
	if (config_nat_skb)
		resolve_by_skb(skb, v);
	if (config_nat_lookup && v->nat_means == NAT_UNRESOLVED)
		resolve_by_lookup(skb, p, v);
	return 0;
}

static __always_inline bool wants_resolving(const struct flow_value *v)
{
	return (config_nat_skb || config_nat_lookup) && v->nat_means == NAT_UNRESOLVED &&
	       v->nat_tries < NAT_TRIES;
}

static __always_inline bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	return a->src.q[0] == b->src.q[0] && a->src.q[1] == b->src.q[1] &&
	       a->dst.q[0] == b->dst.q[0] && a->dst.q[1] == b->dst.q[1] && a->sport == b->sport &&
	       a->dport == b->dport;
}

/* Both rewrites of one packet happen within this time. */
#define SAME_PACKET_NS 1000000

/* keep_first notes the entry of a connection's first packet. With both rewrites, the second changes
 * the reply tuple again, and takes the place of the first. */
static __always_inline void keep_first(const struct translation_key *key, struct translation *new)
{
	struct translation *known = bpf_map_lookup_elem(&seine_nat, key);

	new->start_ns = new->last_ns;
	if (known && new->last_ns - known->last_ns < SAME_PACKET_NS)
		new->start_ns = known->start_ns;
	bpf_map_update_elem(&seine_nat, key, new, BPF_ANY);
}

/* keep_confirmed notes an entry whose tuples stay as they are, once. A tuple's next use is another
 * entry, which does not take its place. */
static __always_inline void keep_confirmed(struct translation_key *key, struct translation *new)
{
	struct translation *first = bpf_map_lookup_elem(&seine_nat, key);
	bool born = first && same_tuple(&first->entry.reply, &new->entry.reply);

	if (born) {
		new->start_ns = first->start_ns;
		bpf_map_delete_elem(&seine_nat, key);
	}
	key->reply = new->entry.reply;
	if (born || !bpf_map_lookup_elem(&seine_nat, key))
		bpf_map_update_elem(&seine_nat, key, new, BPF_ANY);
}

/* keep_translation notes the entry of a packet that is being rewritten. */
static __always_inline int keep_translation(const struct nf_conn *ct)
{
	struct translation_key key = {};
	struct translation new = {};

	if (config_netns && BPF_CORE_READ(ct, ct_net.net, ns.inum) != config_netns)
		return 0;
	read_entry(&new.entry, ct);
	new.last_ns = bpf_ktime_get_ns();
	key.orig = new.entry.orig;
	key.proto = new.entry.proto;
	key.zone = new.entry.zone;
	if (new.entry.status & IPS_CONFIRMED)
		keep_confirmed(&key, &new);
	else
		keep_first(&key, &new);
	return 0;
}
