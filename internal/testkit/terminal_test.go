package testkit

import (
	"bufio"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpenTerminal(t *testing.T) {
	user, terminal := OpenTerminal(t)
	size, err := unix.IoctlGetWinsize(int(terminal.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col != 120 || size.Row != 40 {
		t.Errorf("size %+v, %v: want 120 columns, 40 rows", size, err)
	}
	if _, err := user.WriteString("typed\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(terminal).ReadString('\n'); err != nil || line != "typed\n" {
		t.Errorf("got %q, %v", line, err)
	}
}
