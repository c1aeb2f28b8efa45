package cost

import "github.com/seine-net/seine/internal/flow"

// Place is where an end of a connection is.
type Place struct {
	Node, Zone, Region string
	// Internet says that it is outside, at an address which is billed as the internet.
	Internet bool
}

// Class says how far a connection goes from client to server. Ends of which too little is known give UnknownTraffic.
func Class(client, server *Place) flow.TrafficClass {
	switch {
	case client.Internet && server.Internet:
		return flow.UnknownTraffic
	case client.Internet:
		return flow.InternetIn
	case server.Internet:
		return flow.InternetOut
	case client.Node != "" && client.Node == server.Node:
		return flow.SameNode
	case client.Region != "" && server.Region != "" && client.Region != server.Region:
		return flow.CrossRegion
	case client.Zone == "" || server.Zone == "":
		return flow.UnknownTraffic
	case client.Zone == server.Zone:
		return flow.SameZone
	}
	return flow.CrossZone
}
