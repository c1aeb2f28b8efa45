package flow

// Time is nanoseconds since the Unix epoch.
type Time int64

// Proto is an IP protocol number.
type Proto uint8

// The protocols that records name; any other shows its number.
const (
	ICMPv4 Proto = 1
	TCP    Proto = 6
	UDP    Proto = 17
	ICMPv6 Proto = 58
	SCTP   Proto = 132
)

// NAT is a set of rewrites.
type NAT uint8

// The rewrites: DNAT replaced the dialled address, SNAT the client's.
const (
	DNAT NAT = 1 << iota
	SNAT
)

// NATSource is the means by which a translation was learnt.
type NATSource uint8

// The sources of translations; NoSource means that none knew the connection.
const (
	NoSource NATSource = iota
	KFunc
	FEntry
	KProbe
	CTNetlink
)

// Orientation is the evidence that told client from server, best first.
type Orientation uint8

// The kinds of evidence.
const (
	ByConntrack Orientation = iota + 1
	BySYN
	ByFirstPacket
	ByPort
)

// Reporter is the role of the reporting node in a connection.
type Reporter uint8

// The roles: Client and Server own that end, Transit only forwards.
const (
	Transit Reporter = iota
	Client
	Server
)

// Kind is the kind of object that an endpoint is.
type Kind uint8

// The kinds of endpoint.
const (
	UnknownKind Kind = iota
	Pod
	Service
	Node
	External
	Special
)

// Resolution is how an endpoint was identified.
type Resolution uint8

// The ways of identifying an endpoint.
const (
	Unresolved Resolution = iota
	ByPodIP
	ByServiceIP
	ByNodeIP
	ByCgroup
	BySubnet
	ByDNS
	ByNodePort
	ByEndpoint
	ByRange
)

// TrafficClass is how far a connection goes, as providers bill it.
type TrafficClass uint8

// The classes of traffic. UnknownTraffic is that of connections of which an end's place is not known, or that leave the
// cluster for an address which is not on the internet.
const (
	UnknownTraffic TrafficClass = iota
	SameNode
	SameZone
	CrossZone
	CrossRegion
	InternetIn
	InternetOut
)

// TCPFlags is the flags octet of the TCP header (RFC 9293, with CWR and ECE of RFC 3168).
type TCPFlags uint8

// The TCP flags.
const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// TCPState is the state of a socket, by the kernel's numbers (include/net/tcp_states.h).
type TCPState uint8

// The states of a TCP socket; 0 is unknown.
const (
	TCPEstablished TCPState = iota + 1
	TCPSynSent
	TCPSynRecv
	TCPFinWait1
	TCPFinWait2
	TCPTimeWait
	TCPClose
	TCPCloseWait
	TCPLastACK
	TCPListen
	TCPClosing
	TCPNewSynRecv
)

// ResetBy is a set of the sides that sent a reset.
type ResetBy uint8

// The sides.
const (
	ResetByClient ResetBy = 1 << iota
	ResetByServer
)

// Connect is how an attempt to connect ended.
type Connect uint8

// The outcomes; 0 is unknown, or not ended yet.
const (
	ConnectOK Connect = iota + 1
	ConnectRefused
	ConnectTimeout
	ConnectUnreachable
	ConnectAborted
)

// Runtime is what made a container.
type Runtime uint8

// The runtimes; 0 is unknown, or no container.
const (
	Containerd Runtime = iota + 1
	CRIO
	Docker
	Podman
)
