// Package client asks the HTTP API of package api: for the command line and for tests. Answers come as the blocks of
// columns that package query defines. It keeps nothing.
package client
