//go:build ignore
// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* This file contains the capture programs: each packet that passes an interface is parsed and
 * counted in the flow of its connection on that interface. */

#include "filter.h"
#include "nat.h"
#include "plain.h"

/* The kernel knows the dual licence by its GPL half. */
char _license[] SEC("license") = "GPL v2";

/* TC_ACT_UNSPEC of clsact and TCX_NEXT are the same number: the next program decides. */
#define NEXT (-1)

/* segments is the number of packets on the wire. Devices that are not trusted, such as taps, tell
 * the size of a segment's payload alone (net/core/dev.c, qdisc_pkt_len_init). */
static __always_inline __u32 segments(const struct __sk_buff *skb, __u32 headers)
{
	__u32 size = skb->gso_size;

	if (skb->gso_segs > 1)
		return skb->gso_segs;
	if (size && skb->len > headers)
		return (skb->len - headers + size - 1) / size;
	return 1;
}

/* add reads what it adds first: loads do not pass an atomic operation. */
static __always_inline void add(struct volume *v, __u64 bytes, __u64 packets)
{
	__sync_fetch_and_add(&v->bytes, bytes);
	__sync_fetch_and_add(&v->packets, packets);
}

SUBPROGRAM count_outside(const struct __sk_buff *skb, enum hook hook, __u32 reason)
{
	struct interface_key key = { .ifindex = skb->ifindex, .hook = hook };
	struct interface_value *v = bpf_map_lookup_elem(&seine_uncounted, &key);
	struct interface_value zero = {};

	if (!v) {
		bpf_map_update_elem(&seine_uncounted, &key, &zero, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&seine_uncounted, &key);
	}
	if (!v)
		count_error(ERROR_COUNTERS_FULL);
	else if (reason < UNCOUNTED_MAX)
		add(&v->count[reason], skb->len, segments(skb, 0));
	return 0;
}

/* direction orders the endpoints. Any order will do as long as it is the same for both directions.
 */
static __always_inline enum direction direction(const struct tuple *t)
{
	if (t->src.q[0] != t->dst.q[0])
		return t->src.q[0] < t->dst.q[0] ? DIR_UP : DIR_DOWN;
	if (t->src.q[1] != t->dst.q[1])
		return t->src.q[1] < t->dst.q[1] ? DIR_UP : DIR_DOWN;
	return t->sport <= t->dport ? DIR_UP : DIR_DOWN;
}

/* make_key writes ports, and protocol and ICMP, as words: the map hashes and compares words, and
 * what is written in parts and read whole stalls the processor. */
static __always_inline void make_key(struct flow_key *key, const struct packet *p, __u32 ifindex,
				     enum direction dir)
{
	const struct tuple *t = &p->tuple;
	__u32 low = dir == DIR_UP ? t->sport : t->dport;
	__u32 high = dir == DIR_UP ? t->dport : t->sport;
	__u32 ports = low | high << 16;
	__u32 kind = p->proto | (__u32)p->icmp_type << 8 | (__u32)p->icmp_code << 16;
	__u32 gen = 0;

	key->low = dir == DIR_UP ? t->src : t->dst;
	key->high = dir == DIR_UP ? t->dst : t->src;
	key->ifindex = ifindex;
	__builtin_memcpy(&key->low_port, &ports, sizeof(ports));
	__builtin_memcpy(&key->proto, &kind, sizeof(kind));
	__builtin_memcpy(&key->gen, &gen, sizeof(gen));
}

/* find calls once for each map: the verifier inlines a look-up only where it knows the map. The
 * barrier keeps the compiler from making one call of both. */
static __always_inline struct flow_value *find(struct flow_key *key, __u32 map)
{
	struct flow_value *v;

	if (!map)
		return bpf_map_lookup_elem(&seine_flows0, key);
	v = bpf_map_lookup_elem(&seine_flows1, key);
	barrier_var(v);
	return v;
}

static __always_inline long insert(struct flow_key *key, struct flow_value *v, __u32 map)
{
	if (map)
		return bpf_map_update_elem(&seine_flows1, key, v, BPF_NOEXIST);
	return bpf_map_update_elem(&seine_flows0, key, v, BPF_NOEXIST);
}

/* is_new_use tells whether an opening packet opens a new connection on a tuple that had another
 * one: it starts at another sequence number, or comes after an end. */
static __always_inline bool is_new_use(const struct packet *p, const struct flow_value *v,
				       enum direction dir)
{
	if (v->opened[dir])
		return v->isn[dir] != p->seq;
	return (v->tcp_flags[0] | v->tcp_flags[1]) & (TCP_FIN | TCP_RST);
}

/* note_flags is called where the sender's flags are new: but for the first few packets, never. */
static __always_inline void note_flags(struct flow_value *v, __u8 flags, enum direction dir)
{
	__u8 known = v->tcp_flags[dir];

	if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK && !(known & TCP_ACK) &&
	    (v->tcp_flags[1 - dir] & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
		v->acked_ns = v->last_ns;
	v->tcp_flags[dir] = known | flags;
}

/* mark counts what the packet tells of trouble. Plain packets tell none. */
static __always_inline void mark(struct flow_value *v, const struct packet *p, enum direction dir,
				 enum hook hook)
{
	struct marks *m = &v->marks[dir][hook];

	if (p->tcp_flags & TCP_RST)
		__sync_fetch_and_add(&m->resets, 1);
	if (p->zero_window)
		__sync_fetch_and_add(&m->zero_windows, 1);
}

static __always_inline void update(struct flow_value *v, const struct __sk_buff *skb,
				   const struct packet *p, enum direction dir, enum hook hook)
{
	add(&v->count[dir][hook], skb->len, p->segments);
	v->last_ns = bpf_ktime_get_ns();
	if ((v->tcp_flags[dir] | p->tcp_flags) != v->tcp_flags[dir])
		note_flags(v, p->tcp_flags, dir);
	if (p->opens) {
		v->isn[dir] = p->seq;
		v->opened[dir] = 1;
	}
}

static __always_inline void start(struct flow_value *v, const struct __sk_buff *skb,
				  const struct packet *p, enum direction dir, enum hook hook)
{
	__builtin_memset(v, 0, sizeof(*v));
	v->sampling = config_sampling;
	v->first_dir = dir;
	v->quoted_proto = p->quoted_proto;
	v->quoted_dst = p->quoted_dst;
	update(v, skb, p, dir, hook);
	mark(v, p, dir, hook);
	v->first_ns = v->last_ns;
}

/* overflow sends the packet as a record of its own. */
static __always_inline void overflow(const struct __sk_buff *skb, const struct flow_key *key,
				     const struct flow_value *v, enum hook hook)
{
	struct flow_event *e = bpf_ringbuf_reserve(&seine_overflow, sizeof(*e), 0);

	count_error(ERROR_MAP_FULL);
	if (!e) {
		count_error(ERROR_RING_FULL);
		count_outside(skb, hook, UNCOUNTED_LOST);
		return;
	}
	e->key = *key;
	e->value = *v;
	bpf_ringbuf_submit(e, 0);
}

/* create adds the flow with its first packet, or finds that another CPU just did. */
SUBPROGRAM create(struct __sk_buff *skb, struct flow_key *key, const struct packet *p, __u32 where)
{
	enum direction dir = where & 1;
	enum hook hook = where >> 1 & 1;
	__u32 map = where >> 2 & 1, zero = 0;
	struct flow_value *v = bpf_map_lookup_elem(&seine_scratch, &zero);
	long failed;

	if (!v)
		return 0;
	start(v, skb, p, dir, hook);
	if (wants_resolving(v))
		resolve(skb, p, v);
	failed = insert(key, v, map);
	if (!failed) {
		__sync_fetch_and_add(&flow_count[map], 1);
		return 0;
	}
	v = find(key, map);
	if (v) {
		update(v, skb, p, dir, hook);
		mark(v, p, dir, hook);
		return 0;
	}
	v = bpf_map_lookup_elem(&seine_scratch, &zero);
	if (v)
		overflow(skb, key, v, hook);
	return 0;
}

static __always_inline void count_flow(struct __sk_buff *skb, const struct packet *p,
				       enum hook hook)
{
	enum direction dir = direction(&p->tuple);
	__u32 map = active_map & 1;
	struct flow_value *v;
	struct flow_key key;

	make_key(&key, p, skb->ifindex, dir);
	v = find(&key, map);
	if (v && p->opens) {
		struct flow_value *base = v;

		if (base->newest) {
			key.gen = base->newest;
			v = find(&key, map);
		}
		if (v && is_new_use(p, v, dir)) {
			key.gen = ++base->newest;
			v = NULL;
		}
	} else if (v && v->newest) {
		key.gen = v->newest;
		v = find(&key, map);
	}
	if (!v) {
		create(skb, &key, p, dir | hook << 1 | map << 2);
		return;
	}
	update(v, skb, p, dir, hook);
	mark(v, p, dir, hook);
	if (wants_resolving(v))
		resolve(skb, p, v);
}

/* sampled decides once per packet: the verdict travels with it in tc_index, which the kernel
 * carries along, also into clones and segments, and does not look at itself. So a packet is counted
 * at every hook or at none, all interfaces tell the same, and a translation that is only known
 * behind NAT is known for the same packet in front of it. */
static __always_inline bool sampled(struct __sk_buff *skb)
{
	if (config_sampling <= 1)
		return true;
	if ((skb->tc_index & ~1) != config_sampling_tag)
		skb->tc_index = config_sampling_tag | !(bpf_get_prandom_u32() % config_sampling);
	return skb->tc_index & 1;
}

/* count_known counts a plain packet of a flow that needs nothing else. It looks before it touches
 * anything, so that what it turns down is whole. */
static __always_inline bool count_known(struct __sk_buff *skb, enum hook hook, bool has_link_layer)
{
	__u32 map = active_map & 1;
	struct packet p = {};
	struct flow_value *v;
	struct flow_key key;
	enum direction dir;

	if (config_rules || !parse_plain(skb, has_link_layer, &p))
		return false;
	p.segments = segments(skb, p.headers);
	dir = direction(&p.tuple);
	make_key(&key, &p, skb->ifindex, dir);
	v = find(&key, map);
	if (!v || v->newest || wants_resolving(v))
		return false;
	update(v, skb, &p, dir, hook);
	return true;
}

SUBPROGRAM count_any(struct __sk_buff *skb, enum hook hook, bool has_link_layer)
{
	struct packet p = {};
	int outside = parse(skb, has_link_layer, &p);

	if (!outside && config_rules && !accepted(skb, &p, hook))
		outside = 1 + UNCOUNTED_FILTERED;
	p.segments = segments(skb, p.headers);
	if (outside)
		count_outside(skb, hook, outside - 1);
	else
		count_flow(skb, &p, hook);
	return 0;
}

static __always_inline int capture(struct __sk_buff *skb, enum hook hook, bool has_link_layer)
{
	if (sampled(skb) && !count_known(skb, hook, has_link_layer))
		count_any(skb, hook, has_link_layer);
	return NEXT;
}

SEC("tc")
int seine_in(struct __sk_buff *skb)
{
	return capture(skb, HOOK_INGRESS, true);
}

SEC("tc")
int seine_out(struct __sk_buff *skb)
{
	return capture(skb, HOOK_EGRESS, true);
}

/* Devices without a link layer: tun, wireguard, ipip. */
SEC("tc")
int seine_in_l3(struct __sk_buff *skb)
{
	return capture(skb, HOOK_INGRESS, false);
}

SEC("tc")
int seine_out_l3(struct __sk_buff *skb)
{
	return capture(skb, HOOK_EGRESS, false);
}

/* nf_nat_manip_pkt(skb, ct, mtype, dir) rewrites a packet by its conntrack entry
 * (net/netfilter/nf_nat_proto.c): the same arguments since Linux 4.18. */
SEC("fentry/nf_nat_manip_pkt")
int seine_nat_fentry(__u64 *ctx)
{
	return keep_translation((struct nf_conn *)ctx[1]);
}

SEC("kprobe/nf_nat_manip_pkt")
int seine_nat_kprobe(struct pt_regs *ctx)
{
	return keep_translation(second_argument(ctx));
}
