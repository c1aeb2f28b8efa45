// Package capture is the hand on the kernel: it loads the BPF programs of package bpf, attaches them to the network
// interfaces of one network namespace as they come and go, and drains what they counted.
//
// The way of a record through here: Evict swaps the flow map's two halves, waits until no program still writes to the
// old one, drains it in batches and hands the entries on as nat.Observations; packets that found the map full come
// through the overflow ring and join them. Joining interfaces and translations to connections is package nat's work.
//
// What the kernel cannot give is told in Status, feature by feature, and stops nothing else. Qdiscs, filters and
// programs of others are never touched.
package capture
