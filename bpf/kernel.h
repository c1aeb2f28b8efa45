/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the few kernel types that the programs read, with only the members they read.
 * CO-RE finds each member's place in the running kernel, so the layout here does not matter. */
#pragma once

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* A function of its own beside the program. It returns 0: "used" keeps the compiler from dropping a
 * result that no caller looks at, and verifiers refuse what is then left in its place. */
#define SUBPROGRAM static __noinline __attribute__((used)) int

#define KERNEL_TYPE __attribute__((preserve_access_index))

union nf_inet_addr {
	__u32 ip6[4];
} KERNEL_TYPE;

union nf_conntrack_man_proto {
	__be16 all;
} KERNEL_TYPE;

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
	__u16 l3num;
} KERNEL_TYPE;

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
		__u8 protonum;
	} dst;
} KERNEL_TYPE;

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
} KERNEL_TYPE;

struct nf_conntrack_zone {
	__u16 id;
} KERNEL_TYPE;

struct ns_common {
	unsigned int inum;
} KERNEL_TYPE;

struct net {
	struct ns_common ns;
} KERNEL_TYPE;

struct nf_conn {
	struct nf_conntrack_zone zone;
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	struct {
		struct net *net;
	} ct_net;
} KERNEL_TYPE;

struct sk_buff {
	unsigned long _nfct;
} KERNEL_TYPE;

/* second_argument is the kprobed function's: where it lies is the architecture's calling
 * convention. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long si;
} KERNEL_TYPE;
#define second_argument(registers) ((void *)(registers)->si)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	__u64 regs[31];
} KERNEL_TYPE;
#define second_argument(registers) ((void *)(registers)->regs[1])
#endif
