package kafka

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/export/valid"
)

// Config says where rows go and how. The zero value of all members but Brokers and Topic is a default.
type Config struct {
	// Brokers are those that are asked for the others, as host:port.
	Brokers []string `yaml:"brokers"`
	// Topic takes the messages; it has to be there.
	Topic string `yaml:"topic"`
	// Format is what a message looks like: "json" (if empty), an object as the API's exports have it, or "netobserv", a
	// flow log of NetObserv for each direction that has packets.
	Format string `yaml:"format"`
	// Compression is that of batches: "none", "gzip", "snappy", "lz4" (if empty) or "zstd".
	Compression string `yaml:"compression"`
	// Acks says who has a message before it counts as sent: "all" (if empty), the replicas that are in sync, or "leader".
	// With the latter a message may be written twice, or be lost with the leader.
	Acks string `yaml:"acks"`
	// MaxMessageBytes bounds a batch before compression, and so a message: the topic's max.message.bytes, or less.
	// 0 is 1,000,000, just below what brokers take if nobody says otherwise.
	MaxMessageBytes int `yaml:"max_message_bytes"`
	// TLS is spoken if it is there.
	TLS *credential.Client `yaml:"tls"`
	// SASL authenticates if it is there.
	SASL *SASL `yaml:"sasl"`
}

// SASL is who the brokers are told that we are.
type SASL struct {
	// Mechanism is "plain", "scram-sha-256" or "scram-sha-512".
	Mechanism string `yaml:"mechanism"`
	// User is the name, or UserFile holds it.
	User     string `yaml:"user"`
	UserFile string `yaml:"user_file"`
	// PasswordFile holds the password. It is read again when it changed, for the next connection.
	PasswordFile string `yaml:"password_file"`
}

const (
	jsonFormat      = "json"
	netObservFormat = "netobserv"

	defaultMessageBytes = 1_000_000
	// minMessageBytes holds a usual row; maxMessageBytes is the most that a request to a broker may have if nobody says
	// otherwise (socket.request.max.bytes).
	minMessageBytes, maxMessageBytes = 1 << 10, 100 << 20
)

var (
	formats = []string{jsonFormat, netObservFormat}
	codecs  = map[string]kgo.CompressionCodec{
		"none":   kgo.NoCompression(),
		"gzip":   kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(),
		"lz4":    kgo.Lz4Compression(),
		"zstd":   kgo.ZstdCompression(),
	}
	acks = map[string][]kgo.Opt{
		"all": {kgo.RequiredAcks(kgo.AllISRAcks())},
		// The client's sequence numbers need the acknowledgement of all.
		"leader": {kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()},
	}
)

// Address is the brokers, for operators.
func (c *Config) Address() string { return strings.Join(c.Brokers, ",") }

// withDefaults returns the configuration with what it left out.
func (c *Config) withDefaults() *Config {
	full := *c
	for member, standard := range map[*string]string{&full.Format: jsonFormat, &full.Compression: "lz4", &full.Acks: "all"} {
		if *member == "" {
			*member = standard
		}
	}
	if full.MaxMessageBytes == 0 {
		full.MaxMessageBytes = defaultMessageBytes
	}
	return &full
}

// check names what is wrong with a configuration that has its defaults.
func (c *Config) check() error {
	if err := checkBrokers(c.Brokers); err != nil {
		return err
	}
	if !valid.Topic(c.Topic) {
		return fmt.Errorf("topic: %q is no name of a topic: want 1 to 249 letters, digits, dots, underscores and hyphens", c.Topic)
	}
	if c.MaxMessageBytes < minMessageBytes || c.MaxMessageBytes > maxMessageBytes {
		return fmt.Errorf("max_message_bytes: %d is out of range: want %d to %d", c.MaxMessageBytes, minMessageBytes, maxMessageBytes)
	}
	for _, choice := range []struct {
		member, value string
		of            []string
	}{
		{"format", c.Format, formats},
		{"compression", c.Compression, slices.Sorted(maps.Keys(codecs))},
		{"acks", c.Acks, slices.Sorted(maps.Keys(acks))},
	} {
		if err := valid.OneOf(choice.member, choice.value, choice.of...); err != nil {
			return err
		}
	}
	return c.SASL.check()
}

func checkBrokers(brokers []string) error {
	if len(brokers) == 0 {
		return fmt.Errorf("brokers: none is named: want one or more as host:port")
	}
	for _, broker := range brokers {
		if !valid.Address(broker) {
			return fmt.Errorf("brokers: %q is no address: want host:port, such as kafka.example:9092", broker)
		}
	}
	return nil
}

func (s *SASL) check() error {
	if s == nil {
		return nil
	}
	if err := valid.OneOf("sasl.mechanism", s.Mechanism, slices.Sorted(maps.Keys(mechanisms))...); err != nil {
		return err
	}
	if (s.User == "") == (s.UserFile == "") {
		return fmt.Errorf("sasl: want either user or user_file")
	}
	if s.PasswordFile == "" {
		return fmt.Errorf("sasl.password_file: none is named: want the path of a file that holds the password")
	}
	return nil
}
