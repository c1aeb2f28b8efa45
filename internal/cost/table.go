package cost

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/seine-net/seine/internal/flow"
)

//go:embed presets.yaml
var presetsText []byte

// presets are the tables that are known by name.
var presets = func() map[string]file {
	var all map[string]file
	if err := yaml.UnmarshalStrict(presetsText, &all); err != nil {
		panic("BUG: presets: " + err.Error())
	}
	return all
}()

// Presets returns the names of the presets.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// file is a table as it is written.
type file struct {
	// Provider is a preset whose prices hold where the file names none.
	Provider    string `json:"provider,omitempty"`
	Source      string `json:"source,omitempty"`
	Date        string `json:"date,omitempty"`
	Checked     string `json:"checked,omitempty"`
	Unit        string `json:"unit,omitempty"`
	SameZone    *price `json:"same_zone,omitempty"`
	CrossZone   *price `json:"cross_zone,omitempty"`
	CrossRegion *price `json:"cross_region,omitempty"`
	Internet    *price `json:"internet,omitempty"`
}

// price is in USD per unit.
type price struct {
	Out float64 `json:"out,omitempty"`
	In  float64 `json:"in,omitempty"`
}

// Table prices traffic.
type Table struct {
	// Source says where the prices are published, Date when they were last compared, Checked with what, and what was not.
	Source, Date, Checked string
	// perUnit has, for each class and direction, the price in pico-USD per unit of data.
	perUnit [flow.InternetOut + 1]directions
	unit    uint64
}

// directions are what the bytes of each direction of a connection cost.
type directions struct{ fwd, rev uint64 }

// Load returns the preset of a name, or the table of a file.
func Load(nameOrPath string) (*Table, error) {
	if f, ok := presets[nameOrPath]; ok {
		return f.table()
	}
	text, err := os.ReadFile(nameOrPath)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: want a file or one of %s", err, strings.Join(Presets(), ", "))
	}
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads a table in YAML.
func Parse(text []byte) (*Table, error) {
	var f file
	if err := yaml.UnmarshalStrict(text, &f); err != nil {
		return nil, err
	}
	if f.Provider == "" {
		return f.table()
	}
	base, ok := presets[f.Provider]
	if !ok {
		return nil, fmt.Errorf("provider %q: want one of %s", f.Provider, strings.Join(Presets(), ", "))
	}
	return f.over(base).table()
}

// over fills in what a file does not say.
func (f file) over(base file) file {
	if f.Unit != "" && f.Unit != base.Unit {
		return f.overOther(base)
	}
	f.Unit = base.Unit
	for _, p := range []struct{ own, base **price }{
		{&f.SameZone, &base.SameZone},
		{&f.CrossZone, &base.CrossZone},
		{&f.CrossRegion, &base.CrossRegion},
		{&f.Internet, &base.Internet},
	} {
		if *p.own == nil {
			*p.own = *p.base
		}
	}
	return f
}

// overOther is over for a file in another unit, in which the prices of the preset are written anew.
func (f file) overOther(base file) file {
	factor := float64(units[f.Unit]) / float64(units[base.Unit])
	for _, p := range []**price{&base.SameZone, &base.CrossZone, &base.CrossRegion, &base.Internet} {
		if *p != nil {
			*p = &price{(*p).Out * factor, (*p).In * factor}
		}
	}
	base.Unit = f.Unit
	return f.over(base)
}

var units = map[string]uint64{"GB": 1e9, "GiB": 1 << 30}

// maxPrice is the most that a unit may cost, in USD.
const maxPrice = 1000

func (f file) table() (*Table, error) {
	unit := units[f.Unit]
	if unit == 0 {
		return nil, fmt.Errorf("unit %q: want GB (10^9 bytes) or GiB (2^30 bytes)", f.Unit)
	}
	t := &Table{Source: f.Source, Date: f.Date, Checked: f.Checked, unit: unit}
	for _, p := range []struct {
		name    string
		price   *price
		classes []flow.TrafficClass
	}{
		{"same_zone", f.SameZone, []flow.TrafficClass{flow.SameZone}},
		{"cross_zone", f.CrossZone, []flow.TrafficClass{flow.CrossZone}},
		{"cross_region", f.CrossRegion, []flow.TrafficClass{flow.CrossRegion}},
		{"internet", f.Internet, []flow.TrafficClass{flow.InternetIn, flow.InternetOut}},
	} {
		if p.price == nil {
			continue
		}
		out, err := pico(p.name+".out", p.price.Out)
		if err != nil {
			return nil, err
		}
		in, err := pico(p.name+".in", p.price.In)
		if err != nil {
			return nil, err
		}
		for _, c := range p.classes {
			t.perUnit[c] = perDirection(c, out, in)
		}
	}
	return t, nil
}

func pico(name string, usd float64) (uint64, error) {
	if !(usd >= 0 && usd <= maxPrice) {
		return 0, fmt.Errorf("%s %v: want 0 to %d USD", name, usd, maxPrice)
	}
	return uint64(math.Round(usd * 1e12)), nil
}

// perDirection says what each direction costs: inside, what is sent is received as well, and both are billed; with the
// internet only what leaves the cluster is sent, and what enters it received.
func perDirection(c flow.TrafficClass, out, in uint64) directions {
	switch c {
	case flow.InternetIn:
		return directions{fwd: in, rev: out}
	case flow.InternetOut:
		return directions{fwd: out, rev: in}
	}
	return directions{fwd: out + in, rev: out + in}
}

// Cost returns what the bytes of a connection cost, in pico-USD, rounded to the nearest. It stops at the largest number.
func (t *Table) Cost(c flow.TrafficClass, fwd, rev uint64) uint64 {
	if int(c) >= len(t.perUnit) {
		return 0
	}
	d := t.perUnit[c]
	hiF, loF := bits.Mul64(fwd, d.fwd)
	hiR, loR := bits.Mul64(rev, d.rev)
	lo, carry := bits.Add64(loF, loR, 0)
	hi, over := bits.Add64(hiF, hiR, carry)
	lo, carry = bits.Add64(lo, t.unit/2, 0)
	hi += carry
	if over != 0 || hi >= t.unit {
		return math.MaxInt64
	}
	n, _ := bits.Div64(hi, lo, t.unit)
	return min(n, math.MaxInt64)
}
