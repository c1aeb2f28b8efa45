package wal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const suffix = ".log"

// Segments returns the numbers of the segments in a folder, oldest first. A folder that does not exist has none.
func Segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var numbers []uint64
	for _, e := range entries {
		if number, ok := parseName(e.Name()); ok {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// Path returns the file of a segment.
func Path(dir string, segment uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%010d%s", segment, suffix))
}

func parseName(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, ok && err == nil
}

// Damage is a range of bytes of a segment that holds no frame that can be read.
type Damage struct {
	Offset int64
	// Bytes are what is there. They are the caller's.
	Bytes []byte
	// Torn says that it is the end of the file and looks as a write that was cut off: such a frame was never
	// acknowledged.
	Torn bool
}

// Read gives the frames of a segment in order, and what lies between them. It ends early with an error of the
// callback's.
func Read(path string, frame func(Frame) error, damage func(Damage)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	for offset := 0; offset < len(data); {
		f, size, torn, err := cutFrame(data[offset:])
		if err != nil {
			next := findFrame(data, offset+1)
			damage(Damage{int64(offset), bytes.Clone(data[offset:next]), torn && next == len(data)})
			offset = next
			continue
		}
		if err := frame(f); err != nil {
			return err
		}
		offset += size
	}
	return nil
}

// findFrame returns the offset of the next frame that can be read, or the length of the data.
func findFrame(data []byte, offset int) int {
	for offset < len(data) {
		i := bytes.Index(data[offset:], marker)
		if i < 0 {
			break
		}
		offset += i
		if _, _, _, err := cutFrame(data[offset:]); err == nil {
			return offset
		}
		offset++
	}
	return len(data)
}
