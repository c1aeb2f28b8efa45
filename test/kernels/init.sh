#!/bin/busybox sh
# The guest's first process: it makes the file systems that tests need, runs the suites of /etc/suites and ends. What
# suites say goes to the virtio port, what the kernel says to the console.
bb=/bin/busybox
export PATH=/usr/sbin:/bin:/sbin HOME=/
for applet in $($bb --list); do
	# The tools of the image are those that tests mean.
	case $applet in busybox | ip | tc) ;; *) $bb ln -s busybox /bin/$applet ;; esac
done
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ifconfig lo up
# An emulated processor is late with what it receives: floods are not to lose packets in its queue (1,000 by default).
echo 100000 >/proc/sys/net/core/netdev_max_backlog
# Busybox's own takes a module that another process is loading for a loaded one.
[ -e /usr/sbin/modprobe ] || ln -s /bin/busybox /usr/sbin/modprobe
echo /usr/sbin/modprobe >/proc/sys/kernel/modprobe
for module in virtio_pci virtio_mmio virtio_console tun; do modprobe $module 2>/dev/null; done
# The port's device is there a moment before it can be opened.
tries=0
until (: >/dev/vport0p1) 2>/dev/null || [ $tries -gt 300 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
/etc/suites >/dev/vport0p1 2>&1
poweroff -f
