/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the switches that user space sets before loading. What is off is dead code
 * that the verifier drops. */
#pragma once

#include "kernel.h"

/* One packet in this many is counted; 1 counts every packet. */
const volatile __u32 config_sampling = 1;
/* Marks the packets on which this agent decided: an even number of 16 bits, not 0. */
const volatile __u16 config_sampling_tag = 0x5e1e;
/* Number of filter rules in force; 0 counts every packet. */
const volatile __u32 config_rules = 0;
/* Verdict on a packet that no rule matches. */
const volatile bool config_default_accept = true;
/* Read the packet's own conntrack entry (Linux 6.2: bpf_cast_to_kern_ctx, bpf_rdonly_cast). */
const volatile bool config_nat_skb = false;
/* Look the packet's tuple up in conntrack (Linux 5.18: bpf_skb_ct_lookup; TCP and UDP only). */
const volatile bool config_nat_lookup = false;
/* Inode number of the network namespace whose translations the probe keeps; 0 keeps all. */
const volatile __u32 config_netns = 0;

/* The flow map that packets go to now: 0 or 1. User space swaps it and drains the other. */
volatile __u32 active_map = 0;
/* Flows in each map, so that user space can drain one before it is full. */
volatile __u64 flow_count[2];

/* So many of a flow's packets in an interval are looked at for their conntrack entry, and so many
 * of these looked up. What is not found by then is not tracked, or found on another interface. */
#define NAT_TRIES 32
#define NAT_LOOKUPS 4
#define MAX_RULES 16
