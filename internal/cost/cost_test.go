package cost

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// The traffic of a day over three zones of one region, another region, and the internet, and its bill by hand.
func TestBillByHand(t *testing.T) {
	a1, a2 := Place{Node: "n1", Zone: "a", Region: "r"}, Place{Node: "n2", Zone: "a", Region: "r"}
	b, c := Place{Node: "n3", Zone: "b", Region: "r"}, Place{Node: "n4", Zone: "c", Region: "r"}
	far, net, unknown := Place{Node: "n5", Zone: "x", Region: "s"}, Place{Internet: true}, Place{}
	prices, err := Load("default")
	if err != nil {
		t.Fatal(err)
	}
	const gb = 1e9
	var sum uint64
	f := func(client, server Place, fwd, rev uint64, class flow.TrafficClass, cents float64) {
		t.Helper()
		got := Class(&client, &server)
		if got != class {
			t.Errorf("%+v to %+v is %v, want %v", client, server, got, class)
		}
		pico := prices.Cost(got, fwd, rev)
		if want := uint64(math.Round(cents * 1e10)); pico != want {
			t.Errorf("%v of %d and %d bytes costs %d pUSD, want %d", got, fwd, rev, pico, want)
		}
		sum += pico
	}
	f(a1, a1, 50*gb, 50*gb, flow.SameNode, 0)
	f(a1, a2, 50*gb, 50*gb, flow.SameZone, 0)
	f(a1, b, 10*gb, 5*gb, flow.CrossZone, 30) // 15 GB, each out of one zone and into the other: 2 cents a GB.
	f(b, c, 1*gb, 0, flow.CrossZone, 2)
	f(c, a2, 0, 100*gb, flow.CrossZone, 200)
	f(b, far, 10*gb, 10*gb, flow.CrossRegion, 40)
	f(a1, net, 2*gb, 300*gb, flow.InternetOut, 18) // What comes in is free.
	f(net, c, 300*gb, 10*gb, flow.InternetIn, 90)
	f(a1, unknown, 10*gb, 10*gb, flow.UnknownTraffic, 0)
	f(unknown, net, 1*gb, 0, flow.InternetOut, 9)
	f(net, net, 1*gb, 1*gb, flow.UnknownTraffic, 0)
	if want := uint64(389 * 1e10); sum != want {
		t.Errorf("the day costs %s, want %s", flow.FormatMoney(sum), flow.FormatMoney(want))
	}
}

// Many small records cost what one large one does, to the cent.
func TestRoundingDoesNotAddUp(t *testing.T) {
	for _, name := range Presets() {
		prices, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		const records, bytes = 1_000_000_000, 74
		for class := range flow.InternetOut + 1 {
			small, large := prices.Cost(class, bytes, 0)*records, prices.Cost(class, bytes*records, 0)
			if diff := math.Abs(float64(small) - float64(large)); diff > 1e10 {
				t.Errorf("%s, %v: %d records cost %d pUSD, their bytes %d", name, class, records, small, large)
			}
		}
	}
}

func TestCostIsBounded(t *testing.T) {
	prices, err := Parse([]byte("unit: GB\ninternet: {out: 1000, in: 1000}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := prices.Cost(flow.InternetIn, math.MaxUint64, math.MaxUint64); got != math.MaxInt64 {
		t.Errorf("got %d", got)
	}
	if got := prices.Cost(flow.TrafficClass(200), 1, 1); got != 0 {
		t.Errorf("a class of a later release costs %d", got)
	}
}

func TestPresets(t *testing.T) {
	for _, name := range Presets() {
		table, err := Load(name)
		if err != nil || table.Source == "" || table.Checked == "" {
			t.Errorf("%s: %+v, %v", name, table, err)
		}
		if _, err := time.Parse(time.DateOnly, table.Date); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.yaml")
	if err := os.WriteFile(path, []byte("provider: aws\nunit: GB\ninternet: {out: 0.05}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	prices, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	// The preset's 0.01 USD a GiB are 0.0093 a GB.
	if got := prices.Cost(flow.CrossZone, 1<<30, 0); got < 2e10-1 || got > 2e10+1 {
		t.Errorf("a GiB across zones costs %d pUSD, want 2 cents", got)
	}
	if got := prices.Cost(flow.InternetOut, 1e9, 0); got != 5e10 {
		t.Errorf("a GB to the internet costs %d pUSD, want 5 cents", got)
	}
}

func TestRefused(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
	f("", `unit ""`)
	f("unit: TB", `unit "TB": want GB`)
	f("provider: nobody", "want one of aws, azure, default, gcp, none")
	f("provider: aws\nunit: TB", `unit "TB"`)
	f("unit: GB\ncross_zone: {out: -0.01}", "cross_zone.out -0.01: want 0 to 1000 USD")
	f("unit: GB\ninternet: {in: .nan}", "NaN")
	f("unit: GB\ninternets: {in: 1}", "internets")
	f("unit: GB\ninternet: 1", "price")
	if _, err := Load("no/such/file"); err == nil || !strings.Contains(err.Error(), "aws") {
		t.Errorf("got %v", err)
	}
}
