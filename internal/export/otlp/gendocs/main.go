// Command gendocs writes docs/reference/otlp.md from the table of attributes. Run it by go generate in internal/export/otlp.
package main

import (
	"bytes"
	"log"
	"os"

	"github.com/seine-net/seine/internal/export/otlp"
)

// page is relative to internal/export/otlp, where go generate runs the command.
const page = "../../../docs/reference/otlp.md"

func main() {
	var b bytes.Buffer
	if err := otlp.WriteDocs(&b); err != nil {
		log.Fatalf("write OpenTelemetry docs: %v", err)
	}
	if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
		log.Fatalf("write OpenTelemetry docs: %v", err)
	}
}
