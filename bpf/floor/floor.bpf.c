//go:build ignore
// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* This file contains the programs that the capture programs' cost is measured against: nothing at
 * all, and the least that counting a flow takes: parse, one look-up, two additions, the clock. */

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL v2";

#define NEXT (-1)
#define IPV4_LENGTH 20
#define HEADERS_LENGTH (14 + IPV4_LENGTH + 4)

struct floor_key {
	__u8 src[16];
	__u8 dst[16];
	__be16 sport;
	__be16 dport;
	__u32 proto;
};

struct floor_value {
	__u64 bytes;
	__u64 packets;
	__u64 last_ns;
};

/* Flow -> counters. Made like the capture programs' flow map. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 120000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct floor_key);
	__type(value, struct floor_value);
} floor_flows SEC(".maps");

SEC("tc")
int floor_empty(struct __sk_buff *skb)
{
	(void)skb;
	return NEXT;
}

static __always_inline int parse(struct __sk_buff *skb, struct floor_key *key)
{
	__u8 *at = (void *)(long)skb->data;

	if (at + HEADERS_LENGTH > (__u8 *)(long)skb->data_end)
		return -1;
	if (*(__be16 *)(at + 12) != bpf_htons(0x0800))
		return -1;
	__builtin_memcpy(key->src + 12, at + 26, 4);
	__builtin_memcpy(key->dst + 12, at + 30, 4);
	key->sport = *(__be16 *)(at + 34);
	key->dport = *(__be16 *)(at + 36);
	key->proto = at[23];
	return 0;
}

SEC("tc")
int floor_count(struct __sk_buff *skb)
{
	struct floor_value first = { .bytes = skb->len, .packets = 1 };
	struct floor_key key = {};
	struct floor_value *v;

	if (parse(skb, &key))
		return NEXT;
	v = bpf_map_lookup_elem(&floor_flows, &key);
	if (!v) {
		first.last_ns = bpf_ktime_get_ns();
		bpf_map_update_elem(&floor_flows, &key, &first, BPF_NOEXIST);
		return NEXT;
	}
	__sync_fetch_and_add(&v->bytes, skb->len);
	__sync_fetch_and_add(&v->packets, 1);
	v->last_ns = bpf_ktime_get_ns();
	return NEXT;
}
