package local_test

import (
	"log/slog"
	"testing"

	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/storetest"
)

// opener opens stores with a configuration.
func opener(config local.Config) storetest.Open {
	return func(t testing.TB, dir string) store.Engine {
		t.Helper()
		return mustOpen(t, dir, config)
	}
}

func mustOpen(t testing.TB, dir string, config local.Config) *local.Store {
	t.Helper()
	config.Dir = dir
	s, err := local.Open(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Rows in memory and rows in files must be found alike.
func TestEngine(t *testing.T) {
	t.Run("Memory", func(t *testing.T) { storetest.Run(t, opener(local.Config{}), plans) })
	t.Run("Files", func(t *testing.T) { storetest.Run(t, opener(local.Config{FlushRows: 40}), plans) })
}
