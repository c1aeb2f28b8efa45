/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains what is read from a struct nf_conn, wherever that was found. */
#pragma once

#include "kernel.h"
#include "record.h"

/* include/uapi/linux/netfilter/nf_conntrack_common.h */
#define IPS_CONFIRMED (1 << 3)
#define IPS_TEMPLATE (1 << 11)
/* include/linux/skbuff.h: the low bits of sk_buff._nfct are the packet's state, not the pointer. */
#define NFCT_POINTER (~7UL)
#define AF_INET 2

#define PROTO_ICMP 1
#define PROTO_ICMPV6 58

static __always_inline void read_address(struct addr *to, const union nf_inet_addr *from,
					 __u16 family)
{
	if (family == AF_INET)
		map_ipv4(to, BPF_CORE_READ(from, ip6[0]));
	else
		bpf_core_read(to, sizeof(*to), &from->ip6);
}

/* read_tuple copies one direction. The kernel keeps an ICMP query's identifier in the source's
 * place only. */
static __always_inline void read_tuple(struct tuple *to, const struct nf_conntrack_tuple *from,
				       __u8 proto)
{
	__u16 family = BPF_CORE_READ(from, src.l3num);

	read_address(&to->src, &from->src.u3, family);
	read_address(&to->dst, &from->dst.u3, family);
	to->sport = bpf_ntohs(BPF_CORE_READ(from, src.u.all));
	to->dport = bpf_ntohs(BPF_CORE_READ(from, dst.u.all));
	if (proto == PROTO_ICMP || proto == PROTO_ICMPV6)
		to->dport = to->sport;
}

static __always_inline void read_entry(struct nat_info *to, const struct nf_conn *ct)
{
	to->proto = BPF_CORE_READ(ct, tuplehash[0].tuple.dst.protonum);
	to->status = BPF_CORE_READ(ct, status);
	to->zone = bpf_core_field_exists(ct->zone) ? BPF_CORE_READ(ct, zone.id) : 0;
	to->pad = 0;
	read_tuple(&to->orig, &ct->tuplehash[0].tuple, to->proto);
	read_tuple(&to->reply, &ct->tuplehash[1].tuple, to->proto);
}
