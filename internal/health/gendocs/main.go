// Command gendocs writes docs/reference/health.md from the table of rules. Run it by go generate in internal/health.
package main

import (
	"bytes"
	"log"
	"os"

	"github.com/seine-net/seine/internal/health"
)

// page is relative to internal/health, where go generate runs the command.
const page = "../../docs/reference/health.md"

func main() {
	var b bytes.Buffer
	if err := health.WriteDocs(&b); err != nil {
		log.Fatalf("write health docs: %v", err)
	}
	if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
		log.Fatalf("write health docs: %v", err)
	}
}
