package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// checkExport refuses a standard output that takes no records, and warns where they seem to be lost unawares.
func checkExport(out *os.File, log *slog.Logger) error {
	flags, err := unix.FcntlInt(out.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return fmt.Errorf("--export stdout: look at standard output: %w", err)
	}
	switch flags & unix.O_ACCMODE {
	case unix.O_RDONLY:
		return errors.New("--export stdout: standard output is not open for writing")
	case unix.O_RDWR:
		if wasClosed(out) {
			log.Warn("standard output is closed, so that every record is lost: lead it to a file or a pipe")
		}
	}
	return nil
}

// wasClosed tells whether standard output was probably closed when the program started. In its place Go's runtime has
// opened the null device by then, for reading and writing and once for each descriptor (runtime/fds_unix.go). A shell's
// >/dev/null is for writing only, and daemons share one open file among their descriptors; other parents may open the
// null device just as the runtime does.
func wasClosed(out *os.File) bool { return isNull(out) && !isShared(out) }

// isNull tells whether a file is the null device (Documentation/admin-guide/devices.txt: character device 1, 3).
func isNull(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
}

// isShared tells whether standard input or standard error is the same open file (kcmp(2)), or that cannot be known.
func isShared(f *os.File) bool {
	const kcmpFile = 0 // KCMP_FILE of linux/kcmp.h.
	pid := uintptr(os.Getpid())
	for _, other := range []*os.File{os.Stdin, os.Stderr} {
		order, _, errno := unix.Syscall6(unix.SYS_KCMP, pid, pid, kcmpFile, f.Fd(), other.Fd(), 0)
		if errno != 0 || order == 0 {
			return true
		}
	}
	return false
}
