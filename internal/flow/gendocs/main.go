// Command gendocs writes docs/reference/fields.md from the field table. Run it by go generate in internal/flow.
package main

import (
	"bytes"
	"log"
	"os"

	"github.com/seine-net/seine/internal/flow"
)

// page is relative to internal/flow, where go generate runs the command.
const page = "../../docs/reference/fields.md"

func main() {
	var b bytes.Buffer
	if err := flow.WriteFieldDocs(&b); err != nil {
		log.Fatalf("write field docs: %v", err)
	}
	if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
		log.Fatalf("write field docs: %v", err)
	}
}
