/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the maps. */
#pragma once

#include "config.h"
#include "record.h"

/* cursor walks over the headers. fragment is the IP identification where the packet is a fragment,
 * fragment_proto the header that each fragment says the first one begins with. */
struct cursor {
	__u32 offset;
	__u32 fragment;
	__u8 proto;
	__u8 fragment_proto;
	bool first_fragment;
	bool later_fragment;
};

/* packet is what the parser found. Ports are in host byte order; tuple.src sent the packet. */
struct packet {
	struct tuple tuple;
	struct addr quoted_dst;
	struct cursor cursor;
	__u32 seq;
	/* Packets on the wire that it stands for. */
	__u32 segments;
	/* Length of all headers, where the transport header was read. */
	__u16 headers;
	__u8 proto;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 tcp_flags;
	__u8 quoted_proto;
	/* The ICMP type as it was sent, where has_type: icmp_type has a query's answers under the
	 * query. */
	__u8 sent_type;
	bool has_type;
	bool opens;
	/* Says that the sender takes no more data. */
	bool zero_window;
};

/* Connection on an interface -> counters. Programs write to the active one of the pair; user space
 * drains the other, to which nobody writes, so no count is lost. When full, packets go to the
 * overflow ring. */
struct flow_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 120000);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
};
struct flow_map seine_flows0 SEC(".maps");
struct flow_map seine_flows1 SEC(".maps");

/* An update of a map in a map returns when no program runs any more that began before it
 * (kernel/bpf/syscall.c, maybe_wait_bpf_programs). User space updates this one after each swap. */
struct grace_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct grace_inner);
} seine_grace SEC(".maps");

/* One-packet records that found the flow map full. When full, packets are counted as lost. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} seine_overflow SEC(".maps");

/* Reason -> how often. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ERROR_MAX);
	__type(key, __u32);
	__type(value, __u64);
} seine_errors SEC(".maps");

/* Interface and hook -> volume that is in no flow. User space deletes the entries of vanished
 * interfaces. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct interface_key);
	__type(value, struct interface_value);
} seine_uncounted SEC(".maps");

/* Fragments of an IP packet -> what its first fragment carries. The oldest go when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fragment_key);
	__type(value, struct fragment_value);
} seine_fragments SEC(".maps");

/* Conntrack entry -> its translation, from the probe; user space drains it. The oldest go when
 * full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct translation_key);
	__type(value, struct translation);
} seine_nat SEC(".maps");

/* Filter rules in order, written once before the programs are attached. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_RULES);
	__type(key, __u32);
	__type(value, struct filter_rule);
} seine_rules SEC(".maps");

/* Where a new flow's value is made: it does not fit on the stack beside all else. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_value);
} seine_scratch SEC(".maps");

/* The packet in hand. It lies here, not on the stack, so that parsing and counting can be functions
 * that the verifier checks by themselves: as one, their paths would multiply. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} seine_packet SEC(".maps");

static __always_inline struct packet *packet_in_hand(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&seine_packet, &zero);
}

static __always_inline void count_error(enum error reason)
{
	__u32 key = reason;
	__u64 *n = bpf_map_lookup_elem(&seine_errors, &key);

	if (n)
		(*n)++;
}
