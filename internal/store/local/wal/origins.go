package wal

import (
	"encoding/binary"
	"maps"
	"slices"
)

// Origins holds the highest sequence number of each origin.
type Origins map[string]uint64

// frame returns the frame that carries the origins.
func (o Origins) frame() *Frame {
	payload := binary.AppendUvarint(nil, uint64(len(o)))
	for _, name := range slices.Sorted(maps.Keys(o)) {
		payload = appendName(payload, name)
		payload = binary.AppendUvarint(payload, o[name])
	}
	return &Frame{Kind: OriginsFrame, Payload: payload}
}

// ParseOrigins reads the payload of a frame of kind OriginsFrame.
func ParseOrigins(payload []byte) (Origins, error) {
	count, n := binary.Uvarint(payload)
	if n <= 0 || count > uint64(len(payload)) {
		return nil, errDamaged
	}
	origins := make(Origins, count)
	payload = payload[n:]
	for range count {
		name, rest, ok := cutName(payload)
		sequence, n := binary.Uvarint(rest)
		if !ok || n <= 0 {
			return nil, errDamaged
		}
		origins[name] = sequence
		payload = rest[n:]
	}
	return origins, nil
}
