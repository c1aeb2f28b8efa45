// Command gendocs writes docs/reference/openapi.json and docs/reference/api.md from the API's tables. Run it by go
// generate in internal/api.
package main

import (
	"bytes"
	"log"
	"os"

	"github.com/seine-net/seine/internal/api"
)

// folder is relative to internal/api, where go generate runs the command.
const folder = "../../docs/reference/"

func main() {
	document, err := api.OpenAPI()
	if err != nil {
		log.Fatal(err)
	}
	var page bytes.Buffer
	if err := api.WriteDocs(&page); err != nil {
		log.Fatal(err)
	}
	for name, text := range map[string][]byte{"openapi.json": document, "api.md": page.Bytes()} {
		if err := os.WriteFile(folder+name, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
