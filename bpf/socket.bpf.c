//go:build ignore
// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* This file contains the socket programs: they follow each TCP socket of the host, in every network
 * namespace, from connect, accept or listen until it is closed, and each UDP socket from when it is
 * made. Nothing runs per packet: an iterator reads the sockets once an interval, and a socket that
 * is closed is read as it goes. TCP's are raw tracepoints and iterators, which Linux has since 5.9
 * and whose arguments that are read here are the same in all versions since. UDP has no such
 * tracepoints: its programs are those of a control group, the root. */

#include "owner.h"

char _license[] SEC("license") = "GPL v2";

static __always_inline void count_socket_error(enum socket_error reason)
{
	__u32 key = reason;
	__u64 *n = bpf_map_lookup_elem(&seine_sock_err, &key);

	if (n)
		(*n)++;
}

/* Other families number their protocols otherwise. */
static __always_inline bool is_of(struct sock *sk, __u16 protocol)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(sk, sk_protocol) == protocol;
}

static __always_inline bool is_tcp(struct sock *sk)
{
	return is_of(sk, IPPROTO_TCP);
}

static __always_inline void mapped(struct addr *to, __be32 from)
{
	to->q[0] = 0;
	to->w[2] = bpf_htonl(0xffff);
	to->w[3] = from;
}

static __always_inline void read_tuple(struct sock *sk, struct socket_facts *v)
{
	struct tuple *t = &v->tuple;

	v->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (v->family == AF_INET6) {
		bpf_core_read(&t->src, sizeof(t->src), &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(&t->dst, sizeof(t->dst), &sk->__sk_common.skc_v6_daddr);
	} else {
		mapped(&t->src, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		mapped(&t->dst, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	}
	t->sport = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	t->dport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

static __always_inline void identify_current(struct socket_facts *v)
{
	if (!config_process || v->owner.pid)
		return;
	identify(&v->owner, (struct task_struct *)bpf_get_current_task());
	v->changed = 1;
}

/* begin fills in what is known of a socket from the start. */
static __always_inline void begin(struct socket_facts *v, struct sock *sk, enum socket_role role)
{
	v->role = role;
	v->start_ns = bpf_ktime_get_ns();
	v->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	v->changed = 1;
	read_tuple(sk, v);
}

static __always_inline void follow(struct sock *sk, const struct socket_facts *v)
{
	__u64 key = (__u64)sk;

	if (bpf_map_lookup_elem(&seine_sockets, &key))
		count_socket_error(SOCKET_ERROR_STALE);
	if (bpf_map_update_elem(&seine_sockets, &key, v, BPF_ANY))
		count_socket_error(SOCKET_ERROR_TABLE_FULL);
}

/* open_socket is called in the context of the process that connects or listens. */
SUBPROGRAM open_socket(struct sock *sk, enum socket_role role)
{
	struct socket_facts v = {};

	begin(&v, sk, role);
	v.listen_drops = BPF_CORE_READ(sk, sk_drops.counter);
	identify_current(&v);
	follow(sk, &v);
	return 0;
}

/* establish is called in any context. The port of a client is known only now. */
SUBPROGRAM establish(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct socket_facts *known = bpf_map_lookup_elem(&seine_sockets, &key);
	struct socket_facts v = {};

	if (known && known->role == ROLE_ACTIVE) {
		read_tuple(sk, known);
		known->established_ns = bpf_ktime_get_ns();
		known->changed = 1;
		return 0;
	}
	begin(&v, sk, ROLE_PASSIVE);
	v.established_ns = v.start_ns;
	/* Repeated SYN-ACKs were told when they were sent. */
	v.retransmits = BPF_CORE_READ((struct tcp_sock *)sk, total_retrans);
	follow(sk, &v);
	return 0;
}

/* measure makes a report of what is new since the last one. */
static __always_inline void measure(struct sock *sk, const struct socket_facts *v,
				    struct socket_facts *report)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	*report = *v;
	report->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	report->last_ns = BPF_CORE_READ(tp, tcp_mstamp) * 1000;
	if (!config_tcp)
		return;
	report->rtt = BPF_CORE_READ(tp, srtt_us) >> 3;
	report->min_rtt = BPF_CORE_READ(tp, rtt_min.s[0].v);
	report->all_retransmits = BPF_CORE_READ(tp, total_retrans);
	report->retransmits = report->all_retransmits - v->retransmits;
	report->out_of_order = BPF_CORE_READ(tp, rcv_ooopack) - v->out_of_order;
	report->listen_drops = BPF_CORE_READ(sk, sk_drops.counter) - v->listen_drops;
}

/* told notes what a report told. */
static __always_inline void told(struct socket_facts *v, const struct socket_facts *report)
{
	v->state = report->state;
	v->last_ns = report->last_ns;
	v->changed = 0;
	v->told_connect = v->established_ns != 0;
	v->retransmits += report->retransmits;
	v->out_of_order += report->out_of_order;
	v->listen_drops += report->listen_drops;
	__sync_fetch_and_sub(&v->resets_sent, report->resets_sent);
	__sync_fetch_and_sub(&v->resets_received, report->resets_received);
}

/* Ends are read in batches: the reader is woken once so much waits, and at each interval. */
#define RING_WAKES (1 << 19)

static __always_inline void send(struct socket_facts *report)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_query(&seine_ended, BPF_RB_AVAIL_DATA) >= RING_WAKES)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&seine_ended, report, sizeof(*report), flags))
		count_socket_error(SOCKET_ERROR_RING_FULL);
}

SUBPROGRAM end_socket(struct sock *sk, __u32 state)
{
	__u64 key = (__u64)sk;
	struct socket_facts *v = bpf_map_lookup_elem(&seine_sockets, &key);
	struct socket_facts report;

	if (!v)
		return 0;
	measure(sk, v, &report);
	report.state = STATE_CLOSE;
	report.ended_in = state;
	report.last_ns = bpf_ktime_get_ns();
	if (!report.error)
		report.error = BPF_CORE_READ(sk, sk_err);
	if (!report.tuple.sport)
		read_tuple(sk, &report);
	bpf_map_delete_elem(&seine_sockets, &key);
	send(&report);
	return 0;
}

/* close_socket is called in the context of the process that closes first or answers a close. */
static __always_inline void close_socket(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct socket_facts *v = bpf_map_lookup_elem(&seine_sockets, &key);

	if (v)
		identify_current(v);
}

/* inet_sock_set_state(sk, oldstate, newstate): the state is not changed yet. */
SEC("raw_tp/inet_sock_set_state")
int seine_sock_state(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (void *)ctx->args[0];

	if (!is_tcp(sk))
		return 0;
	switch ((int)ctx->args[2]) {
	case STATE_SYN_SENT:
		open_socket(sk, ROLE_ACTIVE);
		break;
	case STATE_LISTEN:
		open_socket(sk, ROLE_LISTENER);
		break;
	case STATE_ESTABLISHED:
		establish(sk);
		break;
	case STATE_FIN_WAIT1:
	case STATE_LAST_ACK:
		close_socket(sk);
		break;
	case STATE_CLOSE:
		end_socket(sk, (__u32)ctx->args[1]);
		break;
	}
	return 0;
}

/* tcp_rcv_space_adjust(sk) is where a process has read. Whoever reads first from an accepted socket
 * is its owner: what listened may be another, as a parent, or systemd. Sockets that a part of the
 * kernel reads for itself are read in anybody's context. */
SEC("raw_tp/tcp_rcv_space_adjust")
int seine_sock_read(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (void *)ctx->args[0];
	__u64 key = (__u64)sk;
	struct socket_facts *v = bpf_map_lookup_elem(&seine_sockets, &key);

	if (!v || v->owner.pid || BPF_CORE_READ(sk, sk_user_data) ||
	    BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ulp_ops))
		return 0;
	identify_current(v);
	return 0;
}

/* tcp_receive_reset(sk) */
SEC("raw_tp/tcp_receive_reset")
int seine_sock_rst_in(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 key = ctx->args[0];
	struct socket_facts *v = bpf_map_lookup_elem(&seine_sockets, &key);

	if (v) {
		__sync_fetch_and_add(&v->resets_received, 1);
		v->changed = 1;
	}
	return 0;
}

/* tcp_send_reset(sk, ...): sk may be NULL or one that is not followed. */
SEC("raw_tp/tcp_send_reset")
int seine_sock_rst_out(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 key = ctx->args[0];
	struct socket_facts *v = bpf_map_lookup_elem(&seine_sockets, &key);

	if (v && v->role != ROLE_LISTENER) {
		__sync_fetch_and_add(&v->resets_sent, 1);
		v->changed = 1;
	}
	return 0;
}

/* queued_error is the errno of the last ICMP error in the socket's queue, 0 if there is none. */
static __always_inline int queued_error(struct sock *sk)
{
	struct sk_buff___socket *last = BPF_CORE_READ(sk, sk_error_queue.prev);
	struct sock_exterr_skb *e = (void *)&last->cb;

	if ((void *)last == (void *)&sk->sk_error_queue || !bpf_core_field_exists(e->ee))
		return 0;
	return BPF_CORE_READ(e, ee.ee_errno);
}

/* inet_sk_error_report(sk), since Linux 5.14: a process that asks for the error takes it away
 * before it closes the socket. One that is still busy connecting has it in the queue alone
 * (net/ipv4/tcp_ipv4.c, tcp_v4_err). */
SEC("raw_tp/inet_sk_error_report")
int seine_sock_error(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (void *)ctx->args[0];
	__u64 key = (__u64)sk;
	struct socket_facts *v = bpf_map_lookup_elem(&seine_sockets, &key);
	int error;

	if (!v)
		return 0;
	error = BPF_CORE_READ(sk, sk_err);
	if (!error && v->role == ROLE_ACTIVE && !v->established_ns)
		error = queued_error(sk);
	if (error)
		v->error = error;
	return 0;
}

/* tcp_retransmit_synack(sk, req): there is no socket yet that could count it, but a request, which
 * begins like a socket. */
SEC("raw_tp/tcp_retransmit_synack")
int seine_sock_synack(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *request = (void *)ctx->args[1];
	struct socket_facts report = {};

	begin(&report, request, ROLE_PASSIVE);
	report.tuple.sport = BPF_CORE_READ(request, __sk_common.skc_num);
	report.state = STATE_NEW_SYN_RECV;
	report.last_ns = report.start_ns;
	report.retransmits = 1;
	send(&report);
	return 0;
}

/* is_news tells whether there is something to report of a socket. */
static __always_inline bool is_news(const struct socket_facts *v, const struct socket_facts *report)
{
	if (v->role == ROLE_LISTENER)
		return report->listen_drops;
	return v->changed || report->last_ns != v->last_ns || report->state != v->state ||
	       report->retransmits;
}

/* is_same tells whether the socket still has the connection that was followed: if not, its end was
 * missed. */
static __always_inline bool is_same(const struct socket_facts *v, const struct socket_facts *now)
{
	return v->tuple.dport == now->tuple.dport && v->tuple.dst.q[0] == now->tuple.dst.q[0] &&
	       v->tuple.dst.q[1] == now->tuple.dst.q[1];
}

/* tell_datagram tells a socket of UDP each time, as long as it is bound: nothing else tells that it
 * is still there. */
static __always_inline void tell_datagram(struct seq_file *to, struct sock *sk,
					  const struct socket_facts *v)
{
	struct socket_facts report;

	if (!is_of(sk, IPPROTO_UDP))
		return;
	report = *v;
	report.last_ns = bpf_ktime_get_ns();
	read_tuple(sk, &report);
	if (report.tuple.sport)
		bpf_seq_write(to, &report, sizeof(report));
}

/* Reads each socket that is followed, once an interval. */
SEC("iter/bpf_map_elem")
int seine_sock_tell(struct bpf_iter__bpf_map_elem *ctx)
{
	struct socket_facts *v = ctx->value, report;
	__u64 *key = ctx->key;
	struct sock *sk;

	if (!key || !v)
		return 0;
	sk = (void *)*key;
	if (v->role == ROLE_DATAGRAM) {
		tell_datagram(ctx->meta->seq, sk, v);
		return 0;
	}
	measure(sk, v, &report);
	if (!is_news(v, &report))
		return 0;
	read_tuple(sk, &report);
	if (!is_same(v, &report))
		return 0;
	if (!bpf_seq_write(ctx->meta->seq, &report, sizeof(report)))
		told(v, &report);
	return 0;
}

/* adopt follows a socket that was there before. What it retransmitted until now is not news. */
SUBPROGRAM adopt(struct sock *sk, __u32 state, struct task_struct *task)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	struct socket_facts v = {};

	begin(&v, sk,
	      state == STATE_LISTEN	? ROLE_LISTENER
	      : state == STATE_SYN_SENT ? ROLE_ACTIVE
					: ROLE_UNKNOWN);
	v.start_ns = 0;
	v.retransmits = BPF_CORE_READ(tp, total_retrans);
	v.out_of_order = BPF_CORE_READ(tp, rcv_ooopack);
	v.listen_drops = BPF_CORE_READ(sk, sk_drops.counter);
	if (config_process)
		identify(&v.owner, task);
	follow(sk, &v);
	return 0;
}

/* adopt_datagram follows a socket of UDP that was there before. */
SUBPROGRAM adopt_datagram(struct sock *sk, struct task_struct *task)
{
	struct socket_facts v = {};

	begin(&v, sk, ROLE_DATAGRAM);
	v.start_ns = 0;
	identify(&v.owner, task);
	follow(sk, &v);
	return 0;
}

/* Reads every open file: finds sockets older than the agent, and the owners that are not known. */
SEC("iter/task_file")
int seine_sock_find(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket_facts *v;
	struct socket *socket;
	struct sock *sk;
	__u64 key;

	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || (!is_tcp(sk) && !(config_udp && is_of(sk, IPPROTO_UDP))))
		return 0;
	key = (__u64)sk;
	v = bpf_map_lookup_elem(&seine_sockets, &key);
	if (!v && !is_tcp(sk)) {
		adopt_datagram(sk, task);
	} else if (!v) {
		__u32 state = BPF_CORE_READ(sk, __sk_common.skc_state);

		if (state != STATE_CLOSE)
			adopt(sk, state, task);
	} else if (config_process && !v->owner.pid) {
		identify(&v->owner, task);
		v->changed = 1;
	}
	return 0;
}

/* socket_of returns the socket, which is the program's context itself (include/linux/bpf-cgroup.h,
 * BPF_CGROUP_RUN_PROG_INET_SOCK). Verifiers that take no pointer to a context in a map's key take
 * what is negated for a number. */
static __always_inline struct sock *socket_of(struct bpf_sock *ctx)
{
	__u64 negated = (__u64)ctx;

	asm volatile("%0 = -%0" : "+r"(negated));
	return (struct sock *)-negated;
}

/* A process makes a socket; its addresses are not known yet. The program lets all pass. */
SEC("cgroup/sock_create")
int seine_udp_made(struct bpf_sock *ctx)
{
	struct sock *sk = socket_of(ctx);
	struct socket_facts v = {};

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	begin(&v, sk, ROLE_DATAGRAM);
	identify_current(&v);
	follow(sk, &v);
	return 1;
}

/* A process closes a socket for good. */
SEC("cgroup/sock_release")
int seine_udp_closed(struct bpf_sock *ctx)
{
	struct sock *sk = socket_of(ctx);
	__u64 key = (__u64)sk;
	struct socket_facts report, *v;

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	v = bpf_map_lookup_elem(&seine_sockets, &key);
	if (!v)
		return 1;
	report = *v;
	report.ended_in = STATE_CLOSE;
	report.last_ns = bpf_ktime_get_ns();
	read_tuple(sk, &report);
	bpf_map_delete_elem(&seine_sockets, &key);
	if (report.tuple.sport)
		send(&report);
	return 1;
}
