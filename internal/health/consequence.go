package health

// judged is what a rule found at edges, before it is put down to what they share.
type judged struct {
	rule   *Rule
	states []*edgeState
	behind backends
}

// consequences leaves out what follows from another finding, and notes it there: traffic that stopped as the client cannot
// resolve names, or is itself called no more since connects to it fail; connections that last longer as the server, or the
// client, waits for DNS.
func (c *check) consequences(all []judged) {
	origins := make(map[*edgeState]*edgeState)
	for _, j := range all {
		for _, s := range j.states {
			if s.found && (j.rule.Form == Fall || j.rule.Chained) {
				origins[s] = j.origin(s, all)
			}
		}
	}
	for s, origin := range origins {
		if origin != nil {
			s.found = false
			origin.following = append(origin.following, s)
		}
	}
}

// origin is the edge that an edge's trouble comes from, nil if there is none.
func (j judged) origin(s *edgeState, all []judged) *edgeState {
	involved := j.involved(s)
	for _, other := range all {
		for _, e := range other.states {
			if e.found && other.explains(j.rule, e, involved) {
				return e
			}
		}
	}
	return nil
}

// involved are those whose trouble would explain an edge's: the client, and for what stopped those that call it and
// stopped, too; for what waits the server, and those that it waits for.
func (j judged) involved(s *edgeState) map[Entity]bool {
	who := map[Entity]bool{s.edge.Src: true}
	if j.rule.Chained {
		j.add(who, s)
	}
	for before := 0; before < len(who); {
		before = len(who)
		for _, e := range j.states {
			switch {
			case !e.found || e.edge.Src.Name == "":
			case j.rule.Chained && who[e.edge.Src]:
				j.add(who, e)
			case !j.rule.Chained && j.answersAny(e, who):
				who[e.edge.Src] = true
			}
		}
	}
	return who
}

// add adds those who answer at an edge.
func (j judged) add(who map[Entity]bool, e *edgeState) {
	for server := range j.behind[e.edge.Dst] {
		who[server] = true
	}
}

func (j judged) answersAny(e *edgeState, who map[Entity]bool) bool {
	for server := range j.behind[e.edge.Dst] {
		if who[server] {
			return true
		}
	}
	return false
}

// leastStop is the share of connects that must fail for the traffic behind them to have stopped by that.
const leastStop = 0.5

// explains says whether what was found at an edge makes those involved stop, or wait.
func (j judged) explains(rule *Rule, e *edgeState, involved map[Entity]bool) bool {
	switch {
	case rule.Chained:
		return j.rule.Slows && involved[e.edge.Src]
	case !j.rule.Stops:
		return false
	case j.rule.Dataset == "dns":
		return involved[e.edge.Src]
	}
	return e.verdict.value >= leastStop && (involved[e.edge.Src] || j.answersAny(e, involved))
}
