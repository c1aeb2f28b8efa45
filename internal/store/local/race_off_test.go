//go:build !race

package local_test

const (
	// plans is how many random plans are compared, in memory and in files each.
	plans = 5_000
	// rounds is how often the store is killed.
	rounds = 50
)
