package demo

import (
	"context"
	"testing"
	"time"
)

// received counts the packets that worker-1's uplink has received.
func received(t *testing.T, c *Cluster) uint64 {
	t.Helper()
	var packets uint64
	err := inside(c.Nodes()[0].NetNS, func() (err error) {
		packets, err = linkPackets(uplink)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return packets
}

func TestDrive(t *testing.T) {
	c := up(t, Options{})
	drive := func(d time.Duration) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		if err := c.Drive(ctx); err != nil {
			t.Fatal(err)
		}
	}
	before := received(t, c)
	drive(2 * time.Second)
	sent := received(t, c) - before
	// A request is about ten packets and half of the chain crosses: a few tens of requests a second stay below this.
	if sent < 50 || sent > 4000 {
		t.Errorf("%d packets crossed in 2 s", sent)
	}
	quiet := received(t, c)
	time.Sleep(500 * time.Millisecond)
	if more := received(t, c) - quiet; more > 20 {
		t.Errorf("%d packets crossed after the end of the drive", more)
	}
	drive(time.Millisecond)
}

func TestDriveFailsWhenAPodIsLost(t *testing.T) {
	c := up(t, Options{})
	victim := pod(t, "echo", 0).process()
	time.AfterFunc(200*time.Millisecond, func() { c.procs[victim].cmd.Process.Kill() })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := c.Drive(ctx)
	if err == nil || ctx.Err() != nil {
		t.Errorf("got error %v, context error %v", err, ctx.Err())
	}
}
