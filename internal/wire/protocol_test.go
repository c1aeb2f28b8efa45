package wire

import "testing"

func TestVersionsAreNegotiated(t *testing.T) {
	f := func(server, agent versions, want uint32, wantOK bool) {
		t.Helper()
		got, ok := server.choose(agent)
		if ok != wantOK || ok && got != want {
			t.Errorf("server %v, agent %v: %d %v, want %d %v", server, agent, got, ok, want, wantOK)
		}
		if reverse, reverseOK := agent.choose(server); reverseOK != ok || reverse != got {
			t.Errorf("server %v, agent %v: the two ends choose differently", server, agent)
		}
	}
	f(versions{1, 1}, versions{1, 1}, 1, true)
	f(versions{3, 1}, versions{2, 1}, 2, true)
	f(versions{3, 2}, versions{5, 3}, 3, true)
	f(versions{3, 3}, versions{2, 1}, 0, false)
	f(versions{1, 1}, versions{3, 2}, 0, false)
	f(versions{1, 1}, versions{0, 0}, 0, false)
	f(versions{1, 0}, versions{1, 5}, 0, false)
}

func TestVersionsText(t *testing.T) {
	f := func(v versions, want string) {
		t.Helper()
		if got := v.String(); got != want {
			t.Errorf("%#v is %q, want %q", v, got, want)
		}
	}
	f(versions{1, 1}, "1")
	f(versions{3, 1}, "1 to 3")
}

func TestOriginsDiffer(t *testing.T) {
	if a, b := newOrigin("n"), newOrigin("n"); a == b {
		t.Errorf("two runs have the origin %q", a)
	}
}
