package main

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/flow"
)

// endpointFlag is a flag that asks for something of an endpoint. It comes thrice: of either end, --from- of the client,
// and --to- of what it dialled or who answered.
type endpointFlag struct {
	name, value, doc string
	// field is the endpoint's member that completes the value.
	field string
	// condition returns the condition in CEL that an endpoint such as "src" meets.
	condition func(end, value string) (string, error)
}

var endpointFlags = []endpointFlag{
	{"namespace", "NAME", "in the namespace", "namespace", func(end, value string) (string, error) {
		return fmt.Sprintf("%s.namespace == %s", end, quote(value)), nil
	}},
	{"pod", "[NAMESPACE/]NAME", "that is a pod whose name begins so", "name", func(end, value string) (string, error) {
		namespace, name := splitName(end, value)
		return fmt.Sprintf(`%s.kind == "Pod" && %s.name.startsWith(%s)%s`, end, end, quote(name), namespace), nil
	}},
	{"service", "[NAMESPACE/]NAME", "that is the Service, or a pod of it", "service", func(end, value string) (string, error) {
		namespace, name := splitName(end, value)
		return fmt.Sprintf(`(%s.service == %s || %s.kind == "Service" && %s.name == %s)%s`,
			end, quote(name), end, end, quote(name), namespace), nil
	}},
	{"workload", "[NAMESPACE/]NAME", "that belongs to the workload", "workload.name", func(end, value string) (string, error) {
		namespace, name := splitName(end, value)
		return fmt.Sprintf("%s.workload.name == %s%s", end, quote(name), namespace), nil
	}},
	{"node", "NAME", "on the node", "node", memberCondition("node")},
	{"zone", "NAME", "in the zone", "zone", memberCondition("zone")},
	{"subnet", "LABEL", "in the labelled subnet", "subnet", memberCondition("subnet")},
	{"label", "KEY=VALUE", "with the label, of those that --label of the server keeps", "labels", func(end, value string) (string, error) {
		if key, _, ok := strings.Cut(value, "="); !ok || key == "" {
			return "", errors.New("want KEY=VALUE, such as team=payments")
		}
		return fmt.Sprintf("%s.labels.matches(%s)", end, quote("(^|,)"+regexp.QuoteMeta(value)+"(,|$)")), nil
	}},
	{"ip", "ADDRESS", "with the address, or one in the network such as 10.0.0.0/8", "addr", addressCondition},
	{"port", "NUMBER", "with the port", "", func(end, value string) (string, error) {
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return "", errors.New("want a port from 0 to 65535")
		}
		return fmt.Sprintf("%s.port == %d", end, n), nil
	}},
}

// memberCondition returns a condition on the exact value of an endpoint's member.
func memberCondition(member string) func(end, value string) (string, error) {
	return func(end, value string) (string, error) {
		return fmt.Sprintf("%s.%s == %s", end, member, quote(value)), nil
	}
}

// anyFlag is --from and --to.
var anyFlag = endpointFlag{"", "WHO", "an address, a network, or [NAMESPACE/]NAME of a pod, workload or Service", "name", anyCondition}

func addressCondition(end, value string) (string, error) {
	if prefix, err := netip.ParsePrefix(value); err == nil {
		return fmt.Sprintf("cidr(%s).containsIP(%s.addr)", quote(prefix.String()), end), nil
	}
	address, err := netip.ParseAddr(value)
	if err != nil {
		return "", errors.New("want an address such as 10.0.0.1, or a network such as 10.0.0.0/8")
	}
	return fmt.Sprintf("%s.addr == %s", end, quote(address.String())), nil
}

func anyCondition(end, value string) (string, error) {
	if condition, err := addressCondition(end, value); err == nil {
		return condition, nil
	}
	namespace, name := splitName(end, value)
	name = quote(name)
	return fmt.Sprintf("(%s.name == %s || %s.workload.name == %s || %s.service == %s)%s", end, name, end, name, end, name, namespace), nil
}

// splitName reads "namespace/name". What it returns first is the condition for the namespace, to be appended.
func splitName(end, value string) (namespace, name string) {
	before, after, found := strings.Cut(value, "/")
	if !found {
		return "", value
	}
	return fmt.Sprintf(" && %s.namespace == %s", end, quote(before)), after
}

// quote writes a text as CEL does, whose escapes are those of Go where the text is UTF-8.
func quote(text string) string { return strconv.Quote(text) }

// sides are the endpoints that flags are about.
var sides = []struct {
	prefix, doc string
	ends        []string
}{
	{"", "either end ", []string{"src", "dst", "backend"}},
	{"from-", "client ", []string{"src"}},
	{"to-", "destination ", []string{"dst", "backend"}},
}

// conditions collects what flags ask for. Values of one flag are alternatives, flags must all hold.
type conditions struct {
	order []string
	given map[string][]string
	not   bool
}

func (c *conditions) add(s *pflag.FlagSet) {
	c.given = make(map[string][]string)
	for _, side := range sides {
		for _, f := range endpointFlags {
			short := ""
			if side.prefix+f.name == "namespace" {
				short = "n"
			}
			s.VarP(&conditionValue{c, side.prefix + f.name, f.value, side.ends, f.condition}, side.prefix+f.name, short, side.doc+f.doc)
		}
	}
	s.Var(&conditionValue{c, "from", anyFlag.value, sides[1].ends, anyFlag.condition}, "from", "client: "+anyFlag.doc)
	s.Var(&conditionValue{c, "to", anyFlag.value, sides[2].ends, anyFlag.condition}, "to", "destination: "+anyFlag.doc)
	s.Var(&conditionValue{c, "protocol", "NAME", []string{""}, protoCondition}, "protocol", "protocol: TCP, UDP, SCTP, ICMP, ICMPv6 or a number")
	s.Var(&conditionValue{c, "protocol", "NAME", []string{""}, protoCondition}, "proto", "the same as --protocol")
	s.BoolVar(&c.not, "not", false, "reverses the flag that follows, as in --not --port 53")
}

func protoCondition(_, value string) (string, error) {
	proto, err := flow.ParseProto(value)
	if err != nil {
		proto, err = flow.ParseProto(strings.ToUpper(value))
	}
	if err != nil {
		return "", errors.New("want TCP, UDP, SCTP, ICMP, ICMPv6 or a number from 0 to 255")
	}
	return "proto == " + quote(proto.String()), nil
}

// conditionValue is a flag that adds a condition.
type conditionValue struct {
	to        *conditions
	name      string
	kind      string
	ends      []string
	condition func(end, value string) (string, error)
}

// String returns nothing: there is no default.
func (v *conditionValue) String() string { return "" }

// Type is what --help calls the value.
func (v *conditionValue) Type() string { return v.kind }

// Set adds the condition that a value stands for.
func (v *conditionValue) Set(value string) error {
	if !utf8.ValidString(value) || value == "" {
		return errors.New("want a text")
	}
	var alternatives []string
	for _, end := range v.ends {
		condition, err := v.condition(end, value)
		if err != nil {
			return err
		}
		alternatives = append(alternatives, "("+condition+")")
	}
	name, condition := v.name, strings.Join(alternatives, " || ")
	if v.to.not {
		name, condition = "not "+name, "!("+condition+")"
		v.to.not = false
	}
	v.to.take(name, condition)
	return nil
}

func (c *conditions) take(name, condition string) {
	if c.given[name] == nil {
		c.order = append(c.order, name)
	}
	c.given[name] = append(c.given[name], condition)
}

// filter returns all conditions as one in CEL, the argument's included.
func (c *conditions) filter(argument string) (string, error) {
	if c.not {
		return "", usagef("--not: no flag follows that it could reverse")
	}
	var all []string
	for _, name := range c.order {
		between := " || "
		if strings.HasPrefix(name, "not ") {
			between = " && " // None of them may hold.
		}
		all = append(all, "("+strings.Join(c.given[name], between)+")")
	}
	if len(all) == 0 {
		return argument, nil // As it is, so that positions in errors are those of the user's text.
	}
	if strings.TrimSpace(argument) != "" {
		all = append([]string{"(" + argument + ")"}, all...)
	}
	return strings.Join(all, " && "), nil
}

// complete registers the completion of values.
func (c *conditions) complete(cmd *cobra.Command, ask *askFlags) {
	for _, side := range sides {
		for _, f := range endpointFlags {
			if f.field != "" {
				_ = cmd.RegisterFlagCompletionFunc(side.prefix+f.name, completeValues(ask, side.ends[0]+"."+f.field))
			}
		}
	}
	_ = cmd.RegisterFlagCompletionFunc("from", completeValues(ask, "src.name"))
	_ = cmd.RegisterFlagCompletionFunc("to", completeValues(ask, "dst.name"))
	for _, name := range []string{"protocol", "proto"} {
		_ = cmd.RegisterFlagCompletionFunc(name, completeValues(ask, "proto"))
	}
}
