package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// errNoOutput tells what is wrong with a standard output that takes no records.
var errNoOutput = errors.New("--export stdout: standard output is closed, so that every record would be lost: " +
	"lead it to a file or a pipe, or with >/dev/null to where records are thrown away")

// checkExport refuses a standard output that was closed when the program started. In its place Go's runtime has opened
// the null device by then, for reading and writing and once for each descriptor (runtime/fds_unix.go). A shell's
// >/dev/null is for writing only, and daemons share one open file among their descriptors.
func checkExport(out *os.File) error {
	flags, err := unix.FcntlInt(out.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return fmt.Errorf("--export stdout: look at standard output: %w", err)
	}
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		return errors.New("--export stdout: standard output is not open for writing")
	}
	if flags&unix.O_ACCMODE == unix.O_RDWR && isNull(out) && !isShared(out) {
		return errNoOutput
	}
	return nil
}

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
