// Package bpf holds the kernel side: the C sources, the objects compiled from them for each architecture, and the
// Go names of what both sides share.
//
// A packet passes an interface and one of the tc programs counts it in the flow map, or, where that is full, sends it
// through the overflow ring. Package capture loads, attaches and drains; nothing else touches kernel objects.
//
// The C here is GPL-2.0-only OR Apache-2.0, the Go Apache-2.0.
package bpf

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type addr -type tuple -type volume -type prefix -type port_range -type flow_key -type flow_value -type flow_event -type error -type uncounted -type nat_means -type direction -type hook -type interface_key -type interface_value -type filter_rule -type filter_flag -type translation_key -type translation -type nat_info Capture flow.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -I/usr/include/x86_64-linux-gnu -I/usr/include/aarch64-linux-gnu
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type socket_facts -type owner -type cgroup_path -type socket_role -type socket_error Socket socket.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -I/usr/include/x86_64-linux-gnu -I/usr/include/aarch64-linux-gnu
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type dns_event -type dns_error DNS dns.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -I/usr/include/x86_64-linux-gnu -I/usr/include/aarch64-linux-gnu
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type drop_key -type drop_value -type drop_error Drop drop.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror -I/usr/include/x86_64-linux-gnu -I/usr/include/aarch64-linux-gnu

// The types that both sides share. Layouts come from the object's BTF.
type (
	// Addr is an IPv6 address or an IPv4 address mapped into ::ffff:0:0/96.
	Addr = CaptureAddr
	// Tuple is one direction of a connection.
	Tuple = CaptureTuple
	// FlowKey names a connection on an interface.
	FlowKey = CaptureFlowKey
	// FlowValue is what was counted under a FlowKey.
	FlowValue = CaptureFlowValue
	// FlowEvent is a packet that found the flow map full.
	FlowEvent = CaptureFlowEvent
	// NATInfo is a conntrack entry.
	NATInfo = CaptureNatInfo
	// TranslationKey names an entry that the NAT probe saw at work, Translation is what it noted of it.
	TranslationKey = CaptureTranslationKey
	// Translation is the other half of TranslationKey.
	Translation = CaptureTranslation
	// InterfaceKey and InterfaceValue hold the volume that is in no flow, by Uncounted reason.
	InterfaceKey = CaptureInterfaceKey
	// InterfaceValue is the other half of InterfaceKey.
	InterfaceValue = CaptureInterfaceValue
	// FilterRule is a compiled filter rule, FilterFlag its conditions.
	FilterRule = CaptureFilterRule
	// FilterFlag says which conditions of a rule are in force.
	FilterFlag = CaptureFilterFlag
	// Prefix is an address and its mask.
	Prefix = CapturePrefix
	// PortRange is an inclusive range.
	PortRange = CapturePortRange
	// SocketFacts is what is known of a socket.
	SocketFacts = SocketSocketFacts
	// Volume counts bytes and packets.
	Volume = CaptureVolume
	// DropKey is a connection of which packets were dropped, with the reason and the place; DropValue how many.
	DropKey = DropDropKey
	// DropValue is the other half of DropKey.
	DropValue = DropDropValue
	// DNSEvent is a packet of DNS.
	DNSEvent = DNSDnsEvent
)

// MaxRules is the number of filter rules that fit (MAX_RULES of config.h), RuleRanges the port ranges of each condition.
const (
	MaxRules   = 16
	RuleRanges = 4
)
