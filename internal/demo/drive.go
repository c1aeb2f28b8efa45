package demo

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Drive sends the plan's traffic through the cluster until ctx ends, then stops it and returns nil. The rate is a few
// tens of requests a second; each client ends by itself after callLimit calls. Drive fails if a process is lost.
func (c *Cluster) Drive(ctx context.Context) error {
	if err := c.setDriving(context.WithoutCancel(ctx), true); err != nil {
		return err
	}
	if err := c.watch(ctx); err != nil {
		return err
	}
	return c.setDriving(context.WithoutCancel(ctx), false)
}

// setDriving starts or stops the clients of every process, all at once, as a stopping client waits for its last call.
func (c *Cluster) setDriving(ctx context.Context, on bool) error {
	var all errgroup.Group
	for _, p := range c.procs {
		all.Go(func() error {
			_, err := p.do(ctx, request{Drive: &on})
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return fmt.Errorf("drive: %w", err)
	}
	return nil
}

// watch returns nil when ctx ends, or an error as soon as a process has.
func (c *Cluster) watch(ctx context.Context) error {
	lost := make(chan string, len(c.procs))
	for _, p := range c.procs {
		go func() {
			select {
			case <-p.done:
				lost <- p.name
			case <-ctx.Done():
			}
		}()
	}
	select {
	case name := <-lost:
		return fmt.Errorf("drive: %s has ended", name)
	case <-ctx.Done():
		return nil
	}
}
