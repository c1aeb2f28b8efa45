//go:build race

package local_test

// The race detector makes all about ten times slower. Races show in few plans, differences are found without it.
const (
	plans  = 100
	rounds = 5
)
