// Package testkit holds what the tests of several packages share: network namespaces with links, addresses and rules
// that a test makes and that vanish with it, traffic of known size between them, and the truth to hold records
// against, which is conntrack's own table, the interfaces' counters and the sender's count.
//
// No product code imports it, and it knows nothing of records: comparing them with the truth is the test's work.
// Everything that makes a namespace needs root and fails, not skips, without it.
package testkit
