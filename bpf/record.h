/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the structures that user space reads: the flow map's key and value and the
 * enumerations of counters. Go learns layout and names from the object's BTF. No structure has
 * hidden padding. */
#pragma once

#include "kernel.h"

/* addr is an IPv6 address, or an IPv4 address mapped into ::ffff:0:0/96, in network byte order. */
struct addr {
	union {
		__u8 bytes[16];
		__u32 w[4];
		__u64 q[2];
	};
};

/* map_ipv4 writes each half at once: what is written in parts and read whole stalls the processor.
 */
static __always_inline void map_ipv4(struct addr *to, __be32 from)
{
	to->q[0] = 0;
	to->q[1] = (__u64)from << 32 | bpf_htonl(0xffff);
}

/* tuple is one direction of a connection; ports are in host byte order. For ICMP queries both ports
 * are the query's identifier. */
struct tuple {
	struct addr src;
	struct addr dst;
	__u16 sport;
	__u16 dport;
	__u32 pad;
};

/* flow_key names one connection on one interface, whatever the packet's direction.
 * gen counts how often the tuple was used anew within the interval: see flow_value.newest. */
struct flow_key {
	struct addr low;
	struct addr high;
	__u16 low_port;
	__u16 high_port;
	__u32 ifindex;
	__u8 proto;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 pad1;
	__u16 gen;
	__u16 pad2;
};

/* volume counts packets (wire segments) and link-layer bytes. */
struct volume {
	__u64 bytes;
	__u64 packets;
};

/* nat_info is a conntrack entry: what the client sent (orig) and what the backend answers (reply).
 */
struct nat_info {
	struct tuple orig;
	struct tuple reply;
	__u32 status;
	__u16 zone;
	__u8 proto;
	__u8 pad;
};

/* translation_key names a conntrack entry that the probe saw at work. reply is zero while the entry
 * is not confirmed: its first packet is still on its way, and further rewrites may change it. */
struct translation_key {
	struct tuple orig;
	struct tuple reply;
	__u16 zone;
	__u8 proto;
	__u8 pad[5];
};

/* translation is an entry at work. start_ns is when its first packet was rewritten, 0 where that
 * was not seen; last_ns when this was written. */
struct translation {
	struct nat_info entry;
	__u64 start_ns;
	__u64 last_ns;
};

/* marks counts the packets of a direction that tell how a connection fares. */
struct marks {
	__u32 resets;
	__u32 zero_windows;
};

/* direction of a packet against the key: from low to high, or from high to low. */
enum direction {
	DIR_UP = 0,
	DIR_DOWN = 1,
	DIR_MAX = 2,
};

/* hook at which a packet was counted. Loopback shows each packet at both. */
enum hook {
	HOOK_INGRESS = 0,
	HOOK_EGRESS = 1,
	HOOK_MAX = 2,
};

/* nat_means is how a flow's conntrack entry was found. */
enum nat_means {
	NAT_UNRESOLVED = 0,
	NAT_BY_SKB = 1,
	NAT_BY_LOOKUP = 2,
};

/* flow_value is all that is known of a key in an interval. What each packet reads and writes comes
 * first: behind the kernel's own 56 bytes and the key, the first 24 bytes share the key's second
 * cache line, and the counters fill the third (kernel/bpf/hashtab.c, kernel/bpf/memalloc.c). */
struct flow_value {
	__u64 last_ns;
	/* Generation that packets of this tuple now belong to; in the entry of generation 0 only.
	 */
	__u16 newest;
	__u8 nat_means;
	__u8 nat_tries;
	__u8 tcp_flags[DIR_MAX];
	/* Whether a packet that opens a connection was seen from each side (TCP SYN, SCTP INIT,
	 * ICMP query), and the SYN's sequence number. */
	__u8 opened[DIR_MAX];
	__u32 isn[DIR_MAX];
	struct volume count[DIR_MAX][HOOK_MAX];
	__u64 first_ns;
	/* When the ACK that ended the handshake passed, behind a SYN-ACK. */
	__u64 acked_ns;
	struct marks marks[DIR_MAX][HOOK_MAX];
	/* Direction of the first packet. */
	__u8 first_dir;
	/* An ICMP error's quoted packet: its protocol and destination. Its source is who got the
	 * error. */
	__u8 quoted_proto;
	__u8 pad[2];
	__u32 sampling;
	struct addr quoted_dst;
	struct nat_info nat;
};

/* flow_event is a packet that found the flow map full. */
struct flow_event {
	struct flow_key key;
	struct flow_value value;
};

/* error counts what went wrong, by reason. */
enum error {
	ERROR_MAP_FULL =
		0, /* no room in the flow map: the packet went to user space by the ring buffer */
	ERROR_RING_FULL = 1, /* no room in the ring buffer either: the packet is lost */
	ERROR_TRUNCATED = 2, /* the transport header is cut short: counted without ports */
	ERROR_EXTENSION_HEADERS =
		3, /* more IPv6 extension headers than are followed: counted without ports */
	ERROR_FRAGMENT_UNKNOWN =
		4, /* a later fragment whose first was not seen: counted without ports */
	ERROR_COUNTERS_FULL = 5, /* no room for the interface's counters */
	ERROR_MAX = 6,
};

/* uncounted is why a packet is in no flow. */
enum uncounted {
	UNCOUNTED_NOT_IP = 0,
	UNCOUNTED_MALFORMED = 1,
	UNCOUNTED_FILTERED = 2,
	UNCOUNTED_LOST = 3,
	UNCOUNTED_MAX = 4,
};

struct interface_key {
	__u32 ifindex;
	__u32 hook;
};

/* interface_value is the volume of an interface's packets that are in no flow, by reason. */
struct interface_value {
	struct volume count[UNCOUNTED_MAX];
};

/* port_range is inclusive; unused ranges have low above high. */
struct port_range {
	__u16 low;
	__u16 high;
};

#define RULE_RANGES 4

/* filter_flag says which conditions of a rule are in force. */
enum filter_flag {
	RULE_ACCEPT = 1,
	RULE_INGRESS = 2,
	RULE_EGRESS = 4,
	RULE_PROTO = 8,
	RULE_ICMP_TYPE = 16,
	RULE_ICMP_CODE = 32,
	RULE_SRC = 64,
	RULE_DST = 128,
	RULE_NET = 256,
	RULE_SPORT = 512,
	RULE_DPORT = 1024,
	RULE_PORT = 2048,
};

struct prefix {
	struct addr addr;
	struct addr mask;
};

/* filter_rule matches a packet when every condition in flags holds. net and port match either end.
 */
struct filter_rule {
	struct prefix src;
	struct prefix dst;
	struct prefix net;
	struct port_range sport[RULE_RANGES];
	struct port_range dport[RULE_RANGES];
	struct port_range port[RULE_RANGES];
	__u32 flags;
	__u8 proto;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 tcp_mask;
	__u8 tcp_value;
	__u8 pad[7];
};

/* fragment_key names the fragments of one IP packet. proto is what all of them name: in IPv6 that
 * may be an extension header. */
struct fragment_key {
	struct addr src;
	struct addr dst;
	__u32 id;
	__u32 proto;
};

/* fragment_value is what the first fragment alone tells. */
struct fragment_value {
	__u16 sport;
	__u16 dport;
	__u8 proto;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 sent_type;
};

/* Nobody reads these: they keep types in the object's BTF, where Go finds them. */
const enum error *btf_error __attribute__((unused));
const enum uncounted *btf_uncounted __attribute__((unused));
const enum nat_means *btf_nat_means __attribute__((unused));
const enum filter_flag *btf_filter_flag __attribute__((unused));
const enum direction *btf_direction __attribute__((unused));
const enum hook *btf_hook __attribute__((unused));
const struct flow_event *btf_flow_event __attribute__((unused));
