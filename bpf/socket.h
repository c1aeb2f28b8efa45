/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains the kernel types of sockets and tasks with the members that the socket
 * programs read, the structures that user space reads, and the maps. */
#pragma once

#include "kernel.h"
#include "record.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define PF_KTHREAD 0x00200000
#define S_IFMT 0170000
#define S_IFSOCK 0140000

/* States of a TCP socket (include/net/tcp_states.h). */
enum tcp_state {
	STATE_ESTABLISHED = 1,
	STATE_SYN_SENT = 2,
	STATE_SYN_RECV = 3,
	STATE_FIN_WAIT1 = 4,
	STATE_CLOSE = 7,
	STATE_LAST_ACK = 9,
	STATE_LISTEN = 10,
	STATE_NEW_SYN_RECV = 12,
};

struct in6_addr_kernel {
	__u64 q[2];
};

typedef struct {
	struct net *net;
} KERNEL_TYPE possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr_kernel skc_v6_daddr;
	struct in6_addr_kernel skc_v6_rcv_saddr;
} KERNEL_TYPE;

typedef struct {
	int counter;
} KERNEL_TYPE atomic_t;

struct sk_buff___socket {
	char cb[48];
} KERNEL_TYPE;

struct sk_buff_head {
	struct sk_buff___socket *prev;
} KERNEL_TYPE;

struct sock_extended_err {
	__u32 ee_errno;
} KERNEL_TYPE;

struct sock_exterr_skb {
	struct sock_extended_err ee;
} KERNEL_TYPE;

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_error_queue;
	atomic_t sk_drops;
	int sk_err;
	__u16 sk_protocol;
	void *sk_user_data;
} KERNEL_TYPE;

struct inet_sock {
	__be16 inet_sport;
} KERNEL_TYPE;

struct inet_connection_sock {
	const void *icsk_ulp_ops;
} KERNEL_TYPE;

struct minmax_sample {
	__u32 v;
} KERNEL_TYPE;

struct minmax {
	struct minmax_sample s[3];
} KERNEL_TYPE;

struct tcp_sock {
	__u64 tcp_mstamp;
	__u32 srtt_us;
	struct minmax rtt_min;
	__u32 total_retrans;
	__u32 rcv_ooopack;
} KERNEL_TYPE;

struct kernfs_node {
	const char *name;
	__u64 id;
	/* Renamed in Linux 6.15. */
	struct kernfs_node *parent;
} KERNEL_TYPE;

struct kernfs_node___6_15 {
	struct kernfs_node *__parent;
} KERNEL_TYPE;

struct cgroup {
	struct kernfs_node *kn;
} KERNEL_TYPE;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
} KERNEL_TYPE;

struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
} KERNEL_TYPE;

enum cgroup_subsys_id {
	memory_cgrp_id = 4,
	pids_cgrp_id = 11,
};

struct task_struct {
	unsigned int flags;
	int tgid;
	struct task_struct *group_leader;
	char comm[16];
	struct css_set *cgroups;
} KERNEL_TYPE;

struct inode {
	unsigned short i_mode;
} KERNEL_TYPE;

struct file {
	struct inode *f_inode;
	void *private_data;
} KERNEL_TYPE;

struct socket {
	struct sock *sk;
} KERNEL_TYPE;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} KERNEL_TYPE;

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *map;
	void *key;
	void *value;
} KERNEL_TYPE;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} KERNEL_TYPE;

/* socket_role is how a socket came to its connection. */
enum socket_role {
	ROLE_UNKNOWN = 0,
	ROLE_ACTIVE = 1,
	ROLE_PASSIVE = 2,
	ROLE_LISTENER = 3,
	/* Of UDP: it may speak to one peer or to many. */
	ROLE_DATAGRAM = 4,
};

/* owner is the process that connected, first read, or closed; of UDP the one that made the socket.
 * cgroup is the key of its path in seine_cgroups. */
struct owner {
	__u64 cgroup;
	__u32 pid;
	__u8 comm[16];
	__u32 pad;
};

/* socket_facts is what is known of a socket. In the map the counters are what was told already; in
 * a report they are what is new. Times are by the monotonic clock, RTTs in microseconds. */
struct socket_facts {
	/* src is the socket's own end. Ports are 0 while they are not known. */
	struct tuple tuple;
	struct owner owner;
	__u64 start_ns;
	__u64 established_ns;
	/* The last packet sent or received. */
	__u64 last_ns;
	__u32 netns;
	__u32 rtt;
	__u32 min_rtt;
	__u32 retransmits;
	__u32 out_of_order;
	__u32 resets_sent;
	__u32 resets_received;
	/* Of a listener: connections turned away as a queue was full. */
	__u32 listen_drops;
	/* All that was ever retransmitted. */
	__u32 all_retransmits;
	/* errno by which the socket ended. */
	__s32 error;
	__u8 role;
	__u8 state;
	__u8 family;
	/* The state when the connection ended, else 0. */
	__u8 ended_in;
	/* Something is to be told, though no packet came or went. */
	__u8 changed;
	/* Whether it was told that the connection was established. */
	__u8 told_connect;
	__u8 pad[2];
};

#define CGROUP_LEVELS 6
#define CGROUP_NAME 128

/* cgroup_path has the names of a control group and those above it, the innermost first. */
struct cgroup_path {
	__u8 names[CGROUP_LEVELS][CGROUP_NAME];
};

/* socket_error counts what went wrong, by reason. */
enum socket_error {
	SOCKET_ERROR_TABLE_FULL = 0, /* no room for another socket: it is not followed */
	SOCKET_ERROR_RING_FULL = 1, /* no room in the ring: the end of a connection is not told */
	SOCKET_ERROR_STALE = 2, /* a socket's end was missed; seen as its memory was used again */
	SOCKET_ERROR_MAX = 3,
};

/* The switches, which user space sets before loading. */

/* Tell round-trip times, retransmissions, resets and outcomes (Linux 5.9: map iterators). */
const volatile bool config_tcp = false;
/* Tell who owns a socket (Linux 5.9). */
const volatile bool config_process = false;
/* Follow sockets of UDP (Linux 5.9: BPF_CGROUP_INET_SOCK_RELEASE). */
const volatile bool config_udp = false;

/* Socket in the kernel's memory -> what is known of it, from connect or accept (UDP: from when it
 * was made) until it is closed. When full, sockets are not followed, and counted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct socket_facts);
} seine_sockets SEC(".maps");

/* The last facts of sockets that were closed. When full, they are lost, and counted. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} seine_ended SEC(".maps");

/* Control group -> its path, as it was when a process of it was first seen. The oldest go when
 * full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct cgroup_path);
} seine_cgroups SEC(".maps");

/* Where a path is put together. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cgroup_path);
} seine_path SEC(".maps");

/* Reason -> how often. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SOCKET_ERROR_MAX);
	__type(key, __u32);
	__type(value, __u64);
} seine_sock_err SEC(".maps");

/* Nobody reads these: they keep types in the object's BTF, where Go finds them. */
const enum socket_error *btf_socket_error __attribute__((unused));
const enum socket_role *btf_socket_role __attribute__((unused));
