package credential

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
)

// TLS names the files of one end of a connection, all PEM.
type TLS struct {
	// CA has the certificates that sign the other end's. A server that has one demands certificates of its clients; a
	// client without one trusts those that the system trusts.
	CA string
	// Cert is this end's certificate with its chain, Key its private key. A server needs them, a client has them if
	// servers demand them.
	Cert, Key string
}

// identity is what the files hold.
type identity struct {
	roots       *x509.CertPool
	certificate *tls.Certificate
}

// Server returns the configuration of a server that speaks TLS 1.3 or later and, within, one of the protocols (ALPN names
// such as "h2"). Each connection is made with what the files hold then; those that are open go on.
func (t TLS) Server(log *slog.Logger, protocols ...string) (*tls.Config, error) {
	if t.Cert == "" {
		return nil, errors.New("a server's TLS needs a certificate and a key")
	}
	current, err := t.open(log)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return current.get().server(protocols), nil
		},
	}, nil
}

// server leaves session tickets out: a resumed session would outlive the files that it was made with.
func (i identity) server(protocols []string) *tls.Config {
	c := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             protocols,
		Certificates:           []tls.Certificate{*i.certificate},
		SessionTicketsDisabled: true,
	}
	if i.roots != nil {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, i.roots
	}
	return c
}

// Client returns a function that makes the configuration of one connection, with what the files hold then. The server
// must bear the given name.
func (t TLS) Client(serverName string, log *slog.Logger) (func() *tls.Config, error) {
	current, err := t.open(log)
	if err != nil {
		return nil, err
	}
	return func() *tls.Config { return current.get().client(serverName) }, nil
}

func (i identity) client(serverName string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: i.roots, ServerName: serverName}
	if i.certificate != nil {
		c.Certificates = []tls.Certificate{*i.certificate}
	}
	return c
}

func (t TLS) open(log *slog.Logger) (*files[identity], error) {
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("a certificate and a key go together: want both files or none")
	}
	current, err := openFiles([]string{t.CA, t.Cert, t.Key}, log, t.parse)
	if err != nil {
		return nil, fmt.Errorf("read TLS files: %w", err)
	}
	return current, nil
}

func (t TLS) parse(contents [][]byte) (identity, error) {
	var i identity
	if t.CA != "" {
		i.roots = x509.NewCertPool()
		if !i.roots.AppendCertsFromPEM(contents[0]) {
			return i, fmt.Errorf("%s: want at least one certificate as PEM", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.X509KeyPair(contents[1], contents[2])
		if err != nil {
			return i, fmt.Errorf("%s and %s: %w", t.Cert, t.Key, err)
		}
		i.certificate = &pair
	}
	return i, nil
}
