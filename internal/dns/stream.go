package dns

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

const (
	// maxStreams bounds the TCP streams followed at a time, maxEarly and maxEarlyBytes what waits in each for the bytes
	// before it. streamIdle is how long a silent stream is kept.
	maxStreams    = 4096
	maxEarly      = 16
	maxEarlyBytes = 64 << 10
	streamIdle    = flow.Time(60e9)
	// prefix is the length of the length before each message (RFC 1035, 4.2.2).
	prefix = 2
)

// streamKey is one direction of a TCP connection.
type streamKey struct{ src, dst nat.Point }

// stream puts the messages of one direction together again, from the segments that pass one place.
type stream struct {
	at     hop
	next   uint32
	seen   flow.Time
	broken bool
	// buffer holds the begin of a message that is not whole, early the segments that came too soon.
	buffer     []byte
	early      []segment
	earlyBytes int
}

type segment struct {
	seq  uint32
	data []byte
}

// take puts a segment where it belongs and calls deliver for each message that is whole.
func (s *stream) take(p *Packet, deliver func(message []byte)) {
	s.seen = p.Time
	if s.broken {
		return
	}
	if p.Flags&flow.SYN != 0 {
		*s = stream{at: s.at, next: p.Seq + 1, seen: p.Time}
		return
	}
	if len(p.Payload) == 0 {
		return
	}
	if behind := int32(s.next - p.Seq); behind < 0 {
		s.wait(p)
		return
	}
	s.append(p.Seq, p.Payload, deliver)
	s.catchUp(deliver)
	if len(p.Payload) < p.Length {
		s.end() // The rest was not captured, and will not come.
	}
}

// append adds what is new of a segment that begins at, or before, the next byte.
func (s *stream) append(seq uint32, data []byte, deliver func([]byte)) {
	known := s.next - seq
	if known >= uint32(len(data)) {
		return
	}
	data = data[known:]
	s.next += uint32(len(data))
	if len(s.buffer) > 0 {
		s.buffer = append(s.buffer, data...)
		data = s.buffer
	}
	for len(data) >= prefix {
		length := int(binary.BigEndian.Uint16(data))
		if length < headerLength {
			s.end()
			return
		}
		if len(data) < prefix+length {
			break
		}
		deliver(data[prefix : prefix+length])
		data = data[prefix+length:]
	}
	s.buffer = append(s.buffer[:0], data...)
}

// wait keeps a segment until the bytes before it come. With too many the missing ones are given up.
func (s *stream) wait(p *Packet) {
	if len(s.early) == maxEarly || s.earlyBytes+len(p.Payload) > maxEarlyBytes || len(p.Payload) < p.Length {
		s.end()
		return
	}
	s.early = append(s.early, segment{p.Seq, slices.Clone(p.Payload)})
	s.earlyBytes += len(p.Payload)
}

// catchUp adds the segments whose turn it is.
func (s *stream) catchUp(deliver func([]byte)) {
	if len(s.early) == 0 {
		return
	}
	slices.SortFunc(s.early, func(a, b segment) int { return cmp.Compare(int32(a.seq-s.next), int32(b.seq-s.next)) })
	for len(s.early) > 0 && !s.broken && int32(s.early[0].seq-s.next) <= 0 {
		first := s.early[0]
		s.early = s.early[1:]
		s.earlyBytes -= len(first.data)
		s.append(first.seq, first.data, deliver)
	}
}

// end gives the stream up and keeps no more of it than that.
func (s *stream) end() { *s = stream{at: s.at, seen: s.seen, broken: true} }

// takeTCP gives a segment to its stream. The first place that a stream is seen at is the one that it is read at.
func (t *Tracker) takeTCP(p *Packet) {
	key := streamKey{p.Src, p.Dst}
	s := t.streams[key]
	if s == nil {
		if p.Flags&(flow.FIN|flow.RST) != 0 && len(p.Payload) == 0 {
			return
		}
		if len(t.streams) >= maxStreams {
			t.stats.StreamsRefused++
			return
		}
		s = &stream{at: p.hop(), next: p.Seq}
		t.streams[key] = s
	}
	if s.at != p.hop() {
		return
	}
	whole := !s.broken
	s.take(p, func(message []byte) { t.message(p, message, len(message)) })
	if whole && s.broken {
		t.stats.Broken++
	}
	if p.Flags&(flow.FIN|flow.RST) != 0 {
		delete(t.streams, key)
	}
}

// forgetStreams drops streams that have long been silent.
func (t *Tracker) forgetStreams(now flow.Time) {
	for key, s := range t.streams {
		if now-s.seen > streamIdle {
			delete(t.streams, key)
		}
	}
}
