package live

import (
	"bytes"
	"os"
)

// collect reads what is written to the terminal until it is closed, and tells when a text has come.
func collect(user *os.File, text string, came chan<- struct{}) <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		var out []byte
		buffer := make([]byte, 4096)
		for found := false; ; {
			n, err := user.Read(buffer)
			out = append(out, buffer[:n]...)
			if !found && bytes.Contains(out, []byte(text)) {
				found = true
				close(came)
			}
			if err != nil { // EIO, when the other end is closed.
				all <- out
				return
			}
		}
	}()
	return all
}
