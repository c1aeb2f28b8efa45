package agent_test

import (
	"testing"

	"github.com/seine-net/seine/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
