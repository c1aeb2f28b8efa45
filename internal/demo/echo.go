package demo

import (
	"fmt"
	"net"
	"net/netip"
)

// echoProgram answers each datagram with the sender as it sees it, its own name, and the datagram.
type echoProgram struct {
	name string
	conn *net.UDPConn
}

func startEcho(s server, name string) (*echoProgram, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: int(s.Port)})
	if err != nil {
		return nil, err
	}
	p := &echoProgram{name, conn}
	go p.serve()
	return p, nil
}

func (p *echoProgram) serve() {
	buffer := make([]byte, 2048)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			continue // An ICMP error about an answer to a client that went away: the socket lives on.
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		p.conn.WriteToUDPAddrPort(fmt.Appendf(nil, "%s %s %s", from, p.name, buffer[:n]), from)
	}
}

func (p *echoProgram) behave(behaviour) error { return nil }
