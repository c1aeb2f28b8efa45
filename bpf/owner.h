/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* This file contains who a process is: its number, its command's name, and its control group, whose
 * path is kept when it is first seen, since it may be gone when user space would look. */
#pragma once

#include "socket.h"

/* Control groups of different hierarchies may bear the same number. */
#define HIERARCHY_SHIFT 60

static __always_inline struct kernfs_node *above(struct kernfs_node *kn)
{
	struct kernfs_node___6_15 *now = (void *)kn;

	if (bpf_core_field_exists(now->__parent))
		return BPF_CORE_READ(now, __parent);
	return BPF_CORE_READ(kn, parent);
}

static __always_inline struct kernfs_node *of_controller(struct css_set *set, int id)
{
	struct cgroup_subsys_state *css;

	if (id < 0 || id > 15 || bpf_core_read(&css, sizeof(css), &set->subsys[id]) || !css)
		return NULL;
	return BPF_CORE_READ(css, cgroup, kn);
}

/* innermost returns the control group of the unified hierarchy or, where a process is at its root,
 * as on hosts with cgroup v1, that of a controller which container runtimes and systemd use. */
static __always_inline struct kernfs_node *innermost(struct task_struct *task, __u64 *hierarchy)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct kernfs_node *kn = BPF_CORE_READ(set, dfl_cgrp, kn), *v1 = NULL;

	if (above(kn))
		return kn;
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		v1 = of_controller(set, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
	*hierarchy = 1;
	if (v1 && above(v1))
		return v1;
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		v1 = of_controller(set, bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
	*hierarchy = 2;
	if (v1 && above(v1))
		return v1;
	*hierarchy = 0;
	return kn;
}

static __always_inline void keep_path(__u64 id, struct kernfs_node *kn)
{
	__u32 zero = 0;
	struct cgroup_path *path = bpf_map_lookup_elem(&seine_path, &zero);

	if (!path)
		return;
	for (int i = 0; i < CGROUP_LEVELS; i++) {
		struct kernfs_node *up = kn ? above(kn) : NULL;

		path->names[i][0] = 0;
		/* The root has no name. */
		if (up)
			bpf_probe_read_kernel_str(path->names[i], CGROUP_NAME,
						  BPF_CORE_READ(kn, name));
		kn = up;
	}
	bpf_map_update_elem(&seine_cgroups, &id, path, BPF_ANY);
}

/* identify fills in who a process is. Kernel threads are nobody. */
static __always_inline void identify(struct owner *o, struct task_struct *task)
{
	struct task_struct *leader;
	__u64 hierarchy = 0, id;
	struct kernfs_node *kn;

	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	o->pid = BPF_CORE_READ(task, tgid);
	leader = BPF_CORE_READ(task, group_leader);
	bpf_core_read(o->comm, sizeof(o->comm), &leader->comm);
	kn = innermost(task, &hierarchy);
	id = BPF_CORE_READ(kn, id) | hierarchy << HIERARCHY_SHIFT;
	if (!bpf_map_lookup_elem(&seine_cgroups, &id))
		keep_path(id, kn);
	o->cgroup = id;
}
