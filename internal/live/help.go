package live

// legend explains what is not self-evident.
var legend = [][2]string{
	{"client → dialled", "who connected, and what it asked for"},
	{"⇒ backend", "who answered, where the dialled address was translated (DNAT)"},
	{"TCP6, UDP6", "TCP and UDP over IPv6"},
	{"RATE", "bytes per second both ways over the last interval; ~ marks an estimate from sampling"},
	{"ACTIVITY", "the last ten intervals, each row to its own scale"},
	{"SENT, RECEIVED", "link-layer bytes from and to the client since the row appeared"},
	{"CONNS", "connections from any port of the client to the same backend, put in one row"},
	{"NAT", "what was rewritten: dnat the dialled address, snat the client's, or both"},
	{"SEEN", "time since the last packet; rows fade after 30 s and go after 60 s without one"},
	{"active", "connections with packets in the last interval"},
	{"coverage", "share of the interfaces' own byte counts that is in the records"},
}

// help writes the keys, the toggles and the legend down to a line.
func (s *screen) help(bottom int) {
	s.rule(" keys ")
	explain := func(label, text string) {
		if s.lines < bottom {
			s.line(segment{" " + pad(label, 18, false), s.styles.bold}, segment{printable(text), s.styles.plain})
		}
	}
	for _, b := range bindings {
		explain(b.shown, b.doc)
	}
	for _, t := range s.toggles {
		explain(t.Key, t.Name+": "+t.Doc)
	}
	if s.lines+1 < bottom {
		s.rule(" what is shown ")
	}
	for _, l := range legend {
		explain(l[0], l[1])
	}
}
