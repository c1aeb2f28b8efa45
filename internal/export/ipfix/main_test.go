package ipfix

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if a connection is left open, or watched for ever.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
