package local

import (
	"errors"
	"io/fs"
	"syscall"
)

// isMachine says that an error comes from the operating system, such as too many open files, and tells nothing of what
// a file holds.
func isMachine(err error) bool {
	var path *fs.PathError
	var number syscall.Errno
	return errors.As(err, &path) || errors.As(err, &number)
}
