// Command gendocs writes docs/reference/metrics.md from the tables of metrics. Run it by go generate in internal/metrics.
package main

import (
	"bytes"
	"log"
	"os"

	"github.com/seine-net/seine/internal/metrics"
)

// page is relative to internal/metrics, where go generate runs the command.
const page = "../../docs/reference/metrics.md"

func main() {
	var b bytes.Buffer
	if err := metrics.WriteDocs(&b); err != nil {
		log.Fatalf("write metrics docs: %v", err)
	}
	if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
		log.Fatalf("write metrics docs: %v", err)
	}
}
