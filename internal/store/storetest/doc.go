// Package storetest holds what every store.Engine must do, as one call for a test, and the records that stores are
// measured with. It is for tests and benchmarks alone.
package storetest
