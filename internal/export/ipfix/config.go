package ipfix

import (
	"cmp"
	"fmt"
	"time"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/export/valid"
)

// Config is the member ipfix of an exporter.
type Config struct {
	// Collector is where messages go, as host:port. IANA's ports are 4739, and 4740 within TLS.
	Collector string `yaml:"collector"`
	// Transport is tcp, which is taken if none is named, or udp.
	Transport string `yaml:"transport"`
	// TLS turns TLS on, for tcp.
	TLS *credential.Client `yaml:"tls"`
	// ObservationDomain is the number under which the collector keeps this exporter's templates. 0 says, as RFC 7011 has
	// it, that records come from many places; give each a number of its own where several servers share a collector
	// behind one address.
	ObservationDomain uint32 `yaml:"observation_domain"`
	// EnterpriseID is the IANA enterprise number of the elements that are Seine's own; 2 if it is not given, as
	// NetObserv has it. 0 leaves these elements out.
	EnterpriseID *uint32 `yaml:"enterprise_id"`
	// TemplateRefresh is the time between two announcements of the templates, for udp; a minute if it is not given.
	TemplateRefresh time.Duration `yaml:"template_refresh"`
	// MTU is the largest message, in bytes, for udp: what a datagram may carry on the way to the collector. 1400 if it
	// is not given.
	MTU int `yaml:"mtu"`
}

const (
	tcp = "tcp"
	udp = "udp"

	// defaultEnterprise is IBM's number, which NetObserv uses by default; Seine has none of its own, either.
	defaultEnterprise = 2
	defaultRefresh    = time.Minute
	defaultMTU        = 1400
	// largestMTU is the largest UDP payload over IPv4.
	largestMTU = 65507

	minRefresh, maxRefresh = time.Second, 24 * time.Hour
)

// Address is where messages go.
func (c *Config) Address() string { return c.Collector }

// withDefaults returns the configuration with all members set, or an error that names the one that makes no sense.
func (c *Config) withDefaults() (Config, error) {
	full := *c
	full.Transport = cmp.Or(c.Transport, tcp)
	full.TemplateRefresh = cmp.Or(c.TemplateRefresh, defaultRefresh)
	full.MTU = cmp.Or(c.MTU, defaultMTU)
	if c.EnterpriseID == nil {
		full.EnterpriseID = new(uint32)
		*full.EnterpriseID = defaultEnterprise
	}
	if !valid.Address(c.Collector) {
		return full, fmt.Errorf("collector: %q: want host:port, such as collector.example:4739", c.Collector)
	}
	return full, c.check(&full)
}

func (c *Config) check(full *Config) error {
	switch {
	case full.Transport != tcp && full.Transport != udp:
		return fmt.Errorf("transport: %q: want tcp or udp", c.Transport)
	case full.Transport == udp && c.TLS != nil:
		return fmt.Errorf("tls: want transport tcp: there is no TLS over udp")
	case full.Transport == tcp && c.TemplateRefresh != 0:
		return fmt.Errorf("template_refresh: %v: want transport udp: over tcp templates last as long as the connection", c.TemplateRefresh)
	case full.Transport == tcp && c.MTU != 0:
		return fmt.Errorf("mtu: %d: want transport udp: tcp cuts messages itself", c.MTU)
	case full.TemplateRefresh < minRefresh || full.TemplateRefresh > maxRefresh:
		return fmt.Errorf("template_refresh: %v: want a time from %v to %v, such as 1m", c.TemplateRefresh, minRefresh, maxRefresh)
	case full.MTU < 0 || full.MTU > largestMTU:
		return fmt.Errorf("mtu: %d: want bytes of a UDP payload, at most %d", c.MTU, largestMTU)
	case *full.EnterpriseID == valid.ReverseEnterprise:
		return fmt.Errorf("enterprise_id: %d: want another: RFC 5103 has it for the reverse elements of IANA", valid.ReverseEnterprise)
	}
	return nil
}
