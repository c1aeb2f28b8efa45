// Command gendocs writes docs/reference/ipfix.md from the table of elements. Run it by go generate in internal/export/ipfix.
package main

import (
	"bytes"
	"log"
	"os"

	"github.com/seine-net/seine/internal/export/ipfix"
)

// page is relative to internal/export/ipfix, where go generate runs the command.
const page = "../../../docs/reference/ipfix.md"

func main() {
	var b bytes.Buffer
	if err := ipfix.WriteDocs(&b); err != nil {
		log.Fatalf("write IPFIX docs: %v", err)
	}
	if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
		log.Fatalf("write IPFIX docs: %v", err)
	}
}
