package live

import (
	"slices"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// column is a column beside the protocol and the path, which are always there.
type column struct {
	title string
	width int
	right bool
	// rank tells which columns go first where there is no room: the highest. Columns of one rank go together.
	rank int
	// order is the order that sorts by the column, if one does.
	order string
	// hidden tells when the column would say nothing; nil is never.
	hidden func(*model) bool
	append func(dst []byte, c *column, r *row, now time.Time, s *styles) []byte
}

// maxRank is the highest rank of a column.
const maxRank = 7

// lastBasic is the last rank of the columns that come before whole names, as do those that the rows are sorted by.
const lastBasic = 1

var columns = []column{
	{title: "RATE", width: 12, right: true, rank: 0, order: "rate", append: appendRate},
	{title: "ACTIVITY", width: 10, rank: 5, append: appendActivity},
	{title: "SENT", width: 10, right: true, rank: 2, order: "bytes", append: appendSent},
	{title: "RECEIVED", width: 10, right: true, rank: 2, order: "bytes", append: appendReceived},
	{title: "PKTS", width: 7, right: true, rank: 6, append: appendPackets},
	{
		title: "CONNS", width: 6, right: true, rank: 1, order: "connections", append: appendConns,
		hidden: func(m *model) bool { return m.single },
	},
	{title: "NAT", width: 4, rank: 4, append: appendNAT},
	{title: "IFACE", width: 15, rank: 7, append: appendIface},
	{title: "SEEN", width: 5, right: true, rank: 3, order: "recent", append: appendSeen},
}

const (
	gap        = 2
	protoWidth = 6
	// before is what stands left of the path: the mark of the selection, the protocol and a gap.
	before = 1 + protoWidth + gap
	// leastPath is how wide the path stays at the cost of columns.
	leastPath = 44
	// briefShare and wholeShare bound the shares of the screen's width that the path takes from columns: for names
	// without their namespaces, and with them.
	briefShare = 0.75
	wholeShare = 0.5
)

// fit returns the columns that there is room for, and the width of the path.
func (m *model) fit() (shown []*column, path int) {
	path = m.width - before
	whole := m.need.least(m.width)
	var fits [maxRank + 1]bool
	for rank := range fits {
		least := whole
		if m.matters(rank) {
			least = leastPath
		}
		if need := m.rankWidth(rank); path-need >= least {
			fits[rank] = true
			path -= need
		}
	}
	for i := range columns {
		if c := &columns[i]; fits[c.rank] && !c.hiddenIn(m) {
			shown = append(shown, c)
		}
	}
	return shown, max(path, 0)
}

// matters tells whether the columns of a rank come before whole names.
func (m *model) matters(rank int) bool {
	return rank <= lastBasic || slices.ContainsFunc(columns, func(c column) bool {
		return c.rank == rank && c.order == orders[m.order].name
	})
}

// rankWidth returns what the columns of a rank take.
func (m *model) rankWidth(rank int) (sum int) {
	for i := range columns {
		if c := &columns[i]; c.rank == rank && !c.hiddenIn(m) {
			sum += gap + c.width
		}
	}
	return sum
}

func (c *column) hiddenIn(m *model) bool { return c.hidden != nil && c.hidden(m) }

// appendCell appends a text in the column's width.
func (c *column) appendCell(dst []byte, text string, p paint) []byte {
	return p.append(dst, pad(clip(text, c.width), c.width, c.right))
}

// appendQuantity appends a number with its unit less marked; zero is not worth any ink.
func (c *column) appendQuantity(dst []byte, text string, zero bool, p paint, s *styles) []byte {
	if zero {
		return c.appendCell(dst, "·", s.faint)
	}
	number, unit, _ := strings.Cut(text, " ")
	dst = spaces(dst, c.width-width(text))
	dst = p.append(dst, number)
	if unit == "" {
		return dst
	}
	return s.faint.append(append(dst, ' '), unit)
}

func appendRate(dst []byte, c *column, r *row, _ time.Time, s *styles) []byte {
	text := about(formatRate(r.total()), r.estimated())
	return c.appendQuantity(dst, text, r.total() < 1, s.bold, s)
}

func appendActivity(dst []byte, c *column, r *row, _ time.Time, s *styles) []byte {
	return c.appendCell(dst, sparkline(r, c.width), s.spark)
}

func appendSent(dst []byte, c *column, r *row, _ time.Time, s *styles) []byte {
	return c.appendBytes(dst, r.sent.Bytes, r, s)
}

func appendReceived(dst []byte, c *column, r *row, _ time.Time, s *styles) []byte {
	return c.appendBytes(dst, r.received.Bytes, r, s)
}

func (c *column) appendBytes(dst []byte, n uint64, r *row, s *styles) []byte {
	return c.appendQuantity(dst, about(flow.FormatBytes(n), r.estimated()), n == 0, s.plain, s)
}

func appendPackets(dst []byte, c *column, r *row, _ time.Time, s *styles) []byte {
	return c.appendCell(dst, about(shortCount(r.packets()), r.estimated()), s.plain)
}

func appendConns(dst []byte, c *column, r *row, _ time.Time, s *styles) []byte {
	return c.appendCell(dst, shortCount(r.conns), s.plain)
}

var shortNAT = map[flow.NAT]string{0: "·", flow.DNAT: "dnat", flow.SNAT: "snat", flow.DNAT | flow.SNAT: "both"}

func appendNAT(dst []byte, c *column, r *row, _ time.Time, s *styles) []byte {
	style := s.plain
	if r.nat == 0 {
		style = s.faint
	}
	return c.appendCell(dst, shortNAT[r.nat], style)
}

func appendIface(dst []byte, c *column, r *row, _ time.Time, s *styles) []byte {
	return c.appendCell(dst, printable(r.iface), s.plain)
}

func appendSeen(dst []byte, c *column, r *row, now time.Time, s *styles) []byte {
	return c.appendCell(dst, formatAge(r.idle(now)), s.faint)
}
