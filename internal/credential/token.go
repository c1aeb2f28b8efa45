package credential

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

const (
	// minToken is the fewest bytes of a token: fewer could be guessed.
	minToken = 16
	// maxTokens bounds how many tokens a file may hold, since each is compared.
	maxTokens = 100
)

// Tokens are the bearer tokens in a file, one a line; empty lines and those that begin with # do not count. With several,
// a server accepts each of them, so that a new one can be spread before the old one is removed; a client presents the
// first.
type Tokens struct {
	current *files[tokens]
}

type tokens struct {
	first string
	sums  [][sha256.Size]byte
}

// OpenTokens reads the file.
func OpenTokens(path string, log *slog.Logger) (*Tokens, error) {
	current, err := openFiles([]string{path}, log, func(contents [][]byte) (tokens, error) { return parseTokens(string(contents[0])) })
	if err != nil {
		return nil, fmt.Errorf("read token file %q: %w", path, err)
	}
	return &Tokens{current}, nil
}

// parseTokens keeps tokens out of its errors.
func parseTokens(text string) (tokens, error) {
	var t tokens
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < minToken || strings.ContainsFunc(line, notPrintable) {
			return tokens{}, fmt.Errorf("line %d: want a token of %d or more printable ASCII characters without spaces", number+1, minToken)
		}
		if t.first == "" {
			t.first = line
		}
		t.sums = append(t.sums, sha256.Sum256([]byte(line)))
	}
	if len(t.sums) == 0 || len(t.sums) > maxTokens {
		return tokens{}, fmt.Errorf("file holds %d tokens: want 1 to %d, one a line", len(t.sums), maxTokens)
	}
	return t, nil
}

func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

// First returns the token to present.
func (t *Tokens) First() string { return t.current.get().first }

// Accepts says whether a token is one of the file's. It takes as long whatever the token is.
func (t *Tokens) Accepts(token string) bool {
	sum, found := sha256.Sum256([]byte(token)), 0
	for _, one := range t.current.get().sums {
		found |= subtle.ConstantTimeCompare(sum[:], one[:])
	}
	return found == 1
}

// errNotBearer keeps what was presented out of the text.
var errNotBearer = errors.New(`want "Bearer TOKEN" in the header "authorization"`)

// Authorize checks the value of an Authorization header (RFC 6750, section 2.1).
func (t *Tokens) Authorize(header string) error {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return errNotBearer
	}
	if !t.Accepts(token) {
		return errors.New("the bearer token is not one that is accepted here")
	}
	return nil
}
