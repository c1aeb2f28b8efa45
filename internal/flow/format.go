package flow

import (
	"math"
	"net/netip"
	"strconv"
	"time"
)

// FormatBytes returns a number of bytes for people, in IEC units with one decimal: "512 B", "1.5 KiB".
func FormatBytes(n uint64) string { return string(appendBytes(nil, n)) }

// FormatMoney returns an amount in pico-USD for people, in USD: "$12.34", "$0.000042", "<$0.000001".
func FormatMoney(pico uint64) string { return string(appendMoney(nil, pico)) }

// FormatEndpoint returns who an endpoint is: "namespace/name:port", "name:port" for what has no namespace, and
// the address and port where no name is known. Port 0 is not shown.
func FormatEndpoint(e *Endpoint) string { return string(appendEndpoint(nil, e)) }

// FormatPath returns the way of the connection, "client → dialled ⇒ backend"; the backend is there only if the
// dialled address was translated.
func FormatPath(r *Record) string { return string(appendPath(nil, r)) }

// byteUnits are the IEC units (IEC 80000-13) above the byte; 64 bits reach no further.
const byteUnits = "KMGTPE"

func appendBytes(dst []byte, n uint64) []byte {
	if n < 1024 {
		return append(strconv.AppendUint(dst, n, 10), " B"...)
	}
	unit := 0
	value := float64(n) / 1024
	for value >= 1023.95 { // From here on it would be rounded up to 1024.0.
		value /= 1024
		unit++
	}
	dst = strconv.AppendFloat(dst, value, 'f', 1, 64)
	return append(dst, ' ', byteUnits[unit], 'i', 'B')
}

// FormatMicroseconds returns a length of time for people: "85 µs", "1.2 ms", "3.4 s", "2h15m0s".
func FormatMicroseconds(n uint64) string { return string(appendMicroseconds(nil, n)) }

func appendMicroseconds(dst []byte, n uint64) []byte {
	switch {
	case n < 1000:
		return append(strconv.AppendUint(dst, n, 10), " µs"...)
	case n < 999_950: // From here on it would be rounded up to 1000.0.
		return append(strconv.AppendFloat(dst, float64(n)/1e3, 'f', 1, 64), " ms"...)
	case n < 60e6:
		return append(strconv.AppendFloat(dst, float64(n)/1e6, 'f', 1, 64), " s"...)
	case n > math.MaxInt64/1000:
		return append(strconv.AppendUint(dst, n/1e6, 10), " s"...)
	}
	return append(dst, (time.Duration(n) * time.Microsecond).Round(time.Second).String()...)
}

// picoPerUSD is the number of pico-USD in a USD, picoShown the least amount that is shown by its digits.
const (
	picoPerUSD = 1e12
	picoShown  = 1e6
)

func appendMoney(dst []byte, pico uint64) []byte {
	if pico > 0 && pico < picoShown {
		return append(dst, "<$0.000001"...)
	}
	decimals := 6
	if pico == 0 || pico >= picoPerUSD {
		decimals = 2
	}
	return strconv.AppendFloat(append(dst, '$'), float64(pico)/picoPerUSD, 'f', decimals, 64)
}

func appendEndpoint(dst []byte, e *Endpoint) []byte {
	if e.Name == "" {
		return appendSocket(dst, e.Addr, e.Port)
	}
	if e.Namespace != "" {
		dst = append(append(dst, e.Namespace...), '/')
	}
	return appendPort(append(dst, e.Name...), e.Port)
}

// appendSocket appends an address and port. An IPv6 address is in brackets where a port follows (RFC 3986).
func appendSocket(dst []byte, a netip.Addr, port uint16) []byte {
	if port == 0 {
		return a.AppendTo(dst)
	}
	return netip.AddrPortFrom(a, port).AppendTo(dst)
}

func appendPort(dst []byte, port uint16) []byte {
	if port == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, ':'), uint64(port), 10)
}

func appendPath(dst []byte, r *Record) []byte {
	dst = append(appendEndpoint(dst, &r.Src), " → "...)
	dst = appendEndpoint(dst, &r.Dst)
	if r.NAT&DNAT == 0 {
		return dst
	}
	return appendEndpoint(append(dst, " ⇒ "...), &r.Backend)
}
