package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/seine-net/seine/internal/credential"
)

const (
	// sendTime bounds how long Send waits for acknowledgements, pingTime how long it then looks for the reason.
	sendTime, pingTime = 10 * time.Second, 3 * time.Second
	dialTime           = 5 * time.Second
	// recordTries bounds how often the client sends a message again by itself; then we know why it could not, and the
	// runner decides when to go on. Messages whose fate is unknown are exempt.
	recordTries = 3
	// linger is longer than it takes to hand a block to the client, so that batches are full.
	linger = 100 * time.Millisecond
	// maxAnswer bounds an answer of a broker, which has room made for it by the length that it says. Those to producers are
	// small; the library wants it above what consumers fetch.
	maxAnswer, maxFetch = 16 << 20, 8 << 20
)

// options are those of the client, but for the size of batches. They read the files that the configuration names.
func (c *Config) options(log *slog.Logger) ([]kgo.Opt, error) {
	options := append([]kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.DefaultProduceTopic(c.Topic),
		kgo.ClientID("seine"),
		kgo.ProducerBatchCompression(codecs[c.Compression]),
		kgo.ProducerLinger(linger),
		kgo.RecordRetries(recordTries),
		kgo.UnknownTopicRetries(recordTries),
		kgo.RetryTimeout(sendTime),
		kgo.RequestTimeoutOverhead(dialTime),
		kgo.MetadataMinAge(time.Second),
		kgo.FetchMaxBytes(maxFetch),
		kgo.BrokerMaxReadBytes(maxAnswer),
		kgo.DisableClientMetrics(), // Brokers may ask clients to report on themselves.
	}, acks[c.Acks]...)
	dial, err := c.dialer(log)
	if err != nil {
		return nil, err
	}
	options = append(options, kgo.Dialer(dial))
	if c.SASL == nil {
		return options, nil
	}
	mechanism, err := c.SASL.open(log)
	if err != nil {
		return nil, err
	}
	if c.SASL.Mechanism == plainMechanism && c.TLS == nil {
		log.Warn("the password for the brokers goes over the network as it is: sasl.mechanism is plain and there is no tls", "brokers", c.Address())
	}
	return append(options, kgo.SASL(mechanism)), nil
}

// dialer returns what makes connections to brokers, with what TLS's files hold then.
func (c *Config) dialer(log *slog.Logger) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	direct := &net.Dialer{Timeout: dialTime}
	if c.TLS == nil {
		return direct.DialContext, nil
	}
	configOf, err := c.TLS.Open(log)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTime)
		defer cancel()
		return (&tls.Dialer{NetDialer: direct, Config: configOf(address)}).DialContext(ctx, network, address)
	}, nil
}

const plainMechanism = "plain"

// mechanisms make one of a function that returns user and password.
var mechanisms = map[string]func(who func() (user, password string)) sasl.Mechanism{
	plainMechanism: func(who func() (string, string)) sasl.Mechanism {
		return plain.Plain(func(context.Context) (a plain.Auth, err error) {
			a.User, a.Pass = who()
			return a, nil
		})
	},
	"scram-sha-256": func(who func() (string, string)) sasl.Mechanism { return scram.Sha256(scramAuth(who)) },
	"scram-sha-512": func(who func() (string, string)) sasl.Mechanism { return scram.Sha512(scramAuth(who)) },
}

func scramAuth(who func() (user, password string)) func(context.Context) (scram.Auth, error) {
	return func(context.Context) (a scram.Auth, err error) {
		a.User, a.Pass = who()
		return a, nil
	}
}

// open reads the files.
func (s *SASL) open(log *slog.Logger) (sasl.Mechanism, error) {
	user := func() string { return s.User }
	if s.UserFile != "" {
		secret, err := credential.OpenSecret(s.UserFile, log)
		if err != nil {
			return nil, fmt.Errorf("sasl.user_file: %w", err)
		}
		user = secret.Value
	}
	password, err := credential.OpenSecret(s.PasswordFile, log)
	if err != nil {
		return nil, fmt.Errorf("sasl.password_file: %w", err)
	}
	return mechanisms[s.Mechanism](func() (string, string) { return user(), password.Value() }), nil
}
