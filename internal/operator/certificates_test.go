package operator

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"
)

// verify checks a certificate as the other end does.
func verify(t *testing.T, data map[string][]byte, trusted []byte, name string, usage x509.ExtKeyUsage, now time.Time) error {
	t.Helper()
	p, err := readPair(data)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	_, err = p.cert.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func renewed(t *testing.T, has secrets, now time.Time) (secrets, time.Time) {
	t.Helper()
	got, next, err := renew(has, "ns", now)
	if err != nil {
		t.Fatal(err)
	}
	return got, next
}

// TestRenew follows the certificates of a cluster for thirty years, looked at whenever it is time: each end trusts the
// other, also when one of them still has what was there before.
func TestRenew(t *testing.T) {
	now := time.Now()
	has, next := renewed(t, nil, now)
	tokens := has["seine-api-tokens"]["tokens"]
	rotations := 0
	for end := now.Add(30 * 365 * 24 * time.Hour); now.Before(end); {
		if !next.After(now) {
			t.Fatalf("next look %v is not after %v", next, now)
		}
		now = next.Add(time.Second)
		old := has
		has, next = renewed(t, old, now)
		if !bytes.Equal(has["seine-ca"][keyCert], old["seine-ca"][keyCert]) {
			rotations++
		}
		for _, ends := range []struct{ server, agent secrets }{{has, has}, {old, has}, {has, old}} {
			if ends.server["seine-ca"] == nil {
				continue
			}
			trustedByServer, trustedByAgent := ends.server["seine-server-tls"][keyCA], ends.agent["seine-agent-tls"][keyCA]
			bothNew := bytes.Equal(trustedByServer, trustedByAgent)
			errServer := verify(t, ends.server["seine-server-tls"], trustedByAgent, "seine-server.ns.svc", x509.ExtKeyUsageServerAuth, now)
			errAgent := verify(t, ends.agent["seine-agent-tls"], trustedByServer, "seine-agent", x509.ExtKeyUsageClientAuth, now)
			if bothNew && (errServer != nil || errAgent != nil) {
				t.Fatalf("at %v: server %v, agent %v", now, errServer, errAgent)
			}
		}
	}
	if rotations < 2 {
		t.Errorf("the authority was replaced %d times in 30 years", rotations)
	}
	if !bytes.Equal(has["seine-api-tokens"]["tokens"], tokens) {
		t.Error("tokens changed by themselves")
	}
}

// TestKeep changes nothing that is good, and replaces what is not.
func TestKeep(t *testing.T) {
	now := time.Now()
	first, _ := renewed(t, nil, now)
	second, _ := renewed(t, first, now.Add(time.Hour))
	for name := range first {
		for key := range first[name] {
			if !bytes.Equal(first[name][key], second[name][key]) {
				t.Errorf("%s %s changed within the hour", name, key)
			}
		}
	}
	second["seine-server-tls"] = map[string][]byte{keyCert: []byte("garbage"), keyKey: second["seine-agent-tls"][keyKey]}
	third, _ := renewed(t, second, now.Add(time.Hour))
	if err := verify(t, third["seine-server-tls"], first["seine-ca"][keyCert], "localhost", x509.ExtKeyUsageServerAuth, now); err != nil {
		t.Errorf("the certificate that was spoiled: %v", err)
	}
}
