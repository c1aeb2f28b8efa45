package otlp

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/credential"
)

// headers are what goes with each request.
type headers struct {
	fixed   map[string]string
	secrets map[string]*credential.Secret
	token   *credential.Secret
}

// openHeaders reads the files.
func openHeaders(c *Config, log *slog.Logger) (*headers, error) {
	h := &headers{fixed: c.Headers, secrets: make(map[string]*credential.Secret)}
	for _, name := range slices.Sorted(maps.Keys(c.HeaderFiles)) {
		secret, err := credential.OpenSecret(c.HeaderFiles[name], log)
		if err != nil {
			return nil, fmt.Errorf("header_files: %s: %w", name, err)
		}
		h.secrets[name] = secret
	}
	if c.TokenFile == "" {
		return h, nil
	}
	token, err := credential.OpenSecret(c.TokenFile, log)
	if err != nil {
		return nil, fmt.Errorf("token_file: %w", err)
	}
	h.token = token
	return h, nil
}

// each gives names and values, with what the files hold now.
func (h *headers) each(set func(name, value string)) {
	for name, value := range h.fixed {
		set(name, value)
	}
	for name, secret := range h.secrets {
		set(name, secret.Value())
	}
	if h.token != nil {
		set("authorization", "Bearer "+h.token.Value())
	}
}

// areSecret says whether some of them are not for everybody's eyes.
func (h *headers) areSecret() bool { return h.token != nil || len(h.secrets) > 0 }

// hide leaves the secrets out of a text in which a collector may have repeated them.
func (h *headers) hide(text string) string {
	for _, secret := range h.secrets {
		text = strings.ReplaceAll(text, secret.Value(), "(secret)")
	}
	if h.token != nil {
		text = strings.ReplaceAll(text, h.token.Value(), "(secret)")
	}
	return text
}
