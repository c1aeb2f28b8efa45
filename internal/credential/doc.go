// Package credential holds what proves identity: certificates and tokens, read from files, and again when the files
// change, so that neither end restarts to rotate them.
//
// A file is looked at, at most once a second, when a connection is made; nothing runs in between. While new files do not
// make sense, for instance with a certificate renewed and its key not yet, the old ones stay in use. What is done with a
// proven identity is the caller's business. Nothing secret is ever part of an error or a log line.
package credential
