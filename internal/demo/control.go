package demo

import (
	"net/netip"
	"time"
)

// The requests between the cluster's process and its children. The parent writes a spec, then requests, one JSON
// value a line, to the child's standard input; the child answers each with one reply on its standard output.

// spec is what a child is told first: who it is and what it runs. It answers when its servers listen.
type spec struct {
	// Name is the namespace/name of a pod or the name of another process; Comm is what ps shows.
	Name, Comm string
	Role       role
	// Resolver holds the addresses of the DNS server, one per family; none means that the process resolves no names.
	Resolver  []netip.Addr
	Servers   []server
	Calls     []call
	Behaviour behaviour
	// Zone is what a DNS server answers: absolute names to addresses.
	Zone map[string][]netip.Addr
}

// role selects the sysctls of a namespace.
type role string

const (
	endpoint role = "endpoint"
	router   role = "router"
	node     role = "node"
)

// server is a program that listens on a port, on all addresses.
type server struct {
	Kind string
	Port uint16
	// Size is the length of an HTTP answer's body in bytes.
	Size int
	// Next is the URL that an HTTP server gets from before it answers a request of "/"; empty asks nobody.
	Next string
	// Fails makes an HTTP server answer, in turn, well, with status 500, with a reset, with 500.
	Fails bool
}

// The kinds of server.
const (
	httpServer = "http"
	dnsServer  = "dns"
	echoServer = "udp-echo"
)

// pingPath is answered by an HTTP server itself, without asking the next one.
const pingPath = "/ping"

// behaviour is what faults change in a process while it runs.
type behaviour struct {
	// Delay is the time that each server waits before it answers.
	Delay time.Duration
	// Refuse closes the HTTP servers' listening sockets and their connections, so that the kernel refuses new ones.
	Refuse bool
	// Deny is a domain; a DNS server answers NXDOMAIN to the names below it.
	Deny string
	// Fail is a domain; a DNS server answers SERVFAIL to the names below it.
	Fail string
	// Silent makes a DNS server answer nothing.
	Silent bool
}

// call is a request that a client makes, once or every so often.
type call struct {
	Kind string
	// Target is a URL, for UDP host:port, for DNS a name without the root's dot.
	Target string
	Family family
	// Every is the time between two calls of a driven loop.
	Every time.Duration
	// Keep uses one TCP connection for all calls of the loop instead of a new one each.
	Keep bool
	// TCP asks the DNS server over TCP.
	TCP bool
}

// The kinds of call.
const (
	httpCall = "http"
	udpCall  = "udp"
	dnsCall  = "dns"
)

// request has exactly one member that is not nil.
type request struct {
	Behave *behaviour
	Run    *command
	Drive  *bool
	Call   *call
}

// command is a program that a child runs in its namespace.
type command struct {
	Args  []string
	Stdin string
}

// reply answers a spec or a request. An empty Error means that it was done.
type reply struct {
	Error string
	// BridgeNetfilter says, in the answer to a spec, that bridged packets pass netfilter's hooks in the namespace.
	BridgeNetfilter bool
	Outcome         outcome
}

// outcome is how one call ended. Error is empty if an answer came, whatever it says.
type outcome struct {
	Error string
	// Status is the HTTP status, RCode the DNS response code by name.
	Status int
	RCode  string
	// Answered is the name of the process that answered; Client is who called, as the server saw it.
	Answered string
	Client   netip.AddrPort
	Addrs    []netip.Addr
	Took     time.Duration
}
