package operator

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// authorityLeft is what must be left of an authority: then those that it signs have it for all their life.
	authorityLeft = 365 * 24 * time.Hour
	leafLife      = 90 * 24 * time.Hour
	leafLeft      = leafLife / 3
	// backdate is for clocks that differ.
	backdate = time.Hour
)

// The keys of Secrets with certificates, as Kubernetes and cert-manager name them.
const (
	keyCA   = "ca.crt"
	keyCert = "tls.crt"
	keyKey  = "tls.key"
)

// secrets are Secrets' data by their names.
type secrets map[string]map[string][]byte

// leaf is what a certificate is for.
type leaf struct {
	secret string
	names  []string
	usage  x509.ExtKeyUsage
}

func leaves(namespace string) []leaf {
	server := release + "-server"
	return []leaf{
		{
			release + "-server-tls",
			[]string{server, server + "." + namespace, server + "." + namespace + ".svc", server + "." + namespace + ".svc.cluster.local", "localhost"},
			x509.ExtKeyUsageServerAuth,
		},
		{release + "-agent-tls", []string{release + "-agent"}, x509.ExtKeyUsageClientAuth},
	}
}

// renew returns the Secrets that a namespace needs: those that it has as far as they are good for long enough, and new
// ones. An authority that is replaced stays trusted until it ends, for those that it signed. The time is when to look again.
func renew(has secrets, namespace string, now time.Time) (secrets, time.Time, error) {
	wants := make(secrets)
	authority, err := authorityOf(has[release+"-ca"], now)
	if err != nil {
		return nil, now, err
	}
	trusted := bundle(authority.pem, has[release+"-ca"][keyCert], has[release+"-ca"][keyCA], now)
	wants[release+"-ca"] = map[string][]byte{keyCA: trusted, keyCert: authority.pem, keyKey: authority.key}
	next := authority.cert.NotAfter.Add(-authorityLeft)
	for _, l := range leaves(namespace) {
		one, err := readPair(has[l.secret])
		if err != nil || !one.isGood(l, authority, now) {
			if one, err = newPair(l, authority, now); err != nil {
				return nil, now, err
			}
		}
		wants[l.secret] = map[string][]byte{keyCA: trusted, keyCert: one.pem, keyKey: one.key}
		if until := one.cert.NotAfter.Add(-leafLeft); until.Before(next) {
			next = until
		}
	}
	const tokens = release + "-api-tokens"
	wants[tokens] = has[tokens]
	if len(has[tokens]["tokens"]) == 0 {
		wants[tokens] = map[string][]byte{"tokens": []byte(rand.Text() + rand.Text() + "\n")}
	}
	return wants, next, nil
}

// pair is a certificate and its key.
type pair struct {
	cert     *x509.Certificate
	signer   *ecdsa.PrivateKey
	pem, key []byte
}

func authorityOf(data map[string][]byte, now time.Time) (*pair, error) {
	if p, err := readPair(data); err == nil && p.cert.IsCA && now.Before(p.cert.NotAfter.Add(-authorityLeft)) {
		return p, nil
	}
	return sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: release + "-ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotAfter: now.Add(authorityLife),
	}, nil, now)
}

func newPair(l leaf, authority *pair, now time.Time) (*pair, error) {
	return sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: l.names[0]}, DNSNames: l.names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{l.usage}, NotAfter: now.Add(leafLife),
	}, authority, now)
}

// sign makes a key and its certificate; without an authority it signs itself.
func sign(template *x509.Certificate, authority *pair, now time.Time) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template.NotBefore = now.Add(-backdate)
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	parent, signer := template, key
	if authority != nil {
		parent, signer = authority.cert, authority.signer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return readPair(map[string][]byte{
		keyCert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyKey:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	})
}

var errNoPair = errors.New("no certificate and key of P-256")

func readPair(data map[string][]byte) (*pair, error) {
	p := &pair{pem: data[keyCert], key: data[keyKey]}
	cert, _ := pem.Decode(p.pem)
	key, _ := pem.Decode(p.key)
	if cert == nil || key == nil {
		return nil, errNoPair
	}
	var err error
	if p.cert, err = x509.ParseCertificate(cert.Bytes); err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := private.(*ecdsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(p.cert.PublicKey) {
		return nil, errNoPair
	}
	p.signer = signer
	return p, nil
}

// isGood says whether a certificate is what is wanted, and for long enough.
func (p *pair) isGood(l leaf, authority *pair, now time.Time) bool {
	return p.cert.CheckSignatureFrom(authority.cert) == nil && now.Before(p.cert.NotAfter.Add(-leafLeft)) &&
		slices.Equal(p.cert.DNSNames, l.names) && slices.Equal(p.cert.ExtKeyUsage, []x509.ExtKeyUsage{l.usage})
}

// bundle lists the authority and those before it that have not ended.
func bundle(authority, before, trusted []byte, now time.Time) []byte {
	all := bytes.Clone(authority)
	for rest := slices.Concat(before, trusted); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all
		}
		one := pem.EncodeToMemory(block)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err == nil && now.Before(cert.NotAfter) && !bytes.Contains(all, one) {
			all = append(all, one...)
		}
	}
}
