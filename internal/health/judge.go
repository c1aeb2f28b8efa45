package health

import "math"

// verdict is what a rule says of a subject.
type verdict struct {
	severity Severity
	// value and baseline are in the rule's unit; baseline is NaN where nothing is known of then.
	value, baseline float64
	now, before     Facts
}

// isJudged says whether there is enough to judge by, so that the subject counts among those that are well or not.
func (r *Rule) isJudged(now, before Facts, p Periods) bool {
	if r.Form == Fall {
		return p.scale() > 0 && before.volume()*p.scale() >= r.MinVolume
	}
	return now.volume() >= r.MinVolume
}

// judge says whether a rule finds something.
func (r *Rule) judge(now, before Facts, p Periods) (verdict, bool) {
	v := verdict{now: now, before: before}
	if !r.isJudged(now, before, p) {
		return v, false
	}
	judges := map[Form]func(*verdict, Periods) bool{Share: r.share, Growth: r.growth, Fall: r.fall, Rise: r.rise}
	found := judges[r.Form](&v, p)
	return v, found
}

func (r *Rule) share(v *verdict, p Periods) bool {
	v.value, v.baseline = v.now.share(), math.NaN()
	known := p.scale() > 0 && v.before.volume() > 0
	if known {
		v.baseline = v.before.share()
	}
	if r.MinIncrease > 0 && (!known || v.value < v.baseline+max(r.MinIncrease, sureAt*v.chance())) {
		return false
	}
	return v.now.bad() >= r.MinBad && r.atLeast(v, v.value)
}

// sureAt is how many standard errors a share must have grown by, so that one growth in several hundred is by chance.
const sureAt = 3

// chance is the standard error of the difference between two shares of such volumes, were they the same.
func (v *verdict) chance() float64 {
	now, before := v.now.volume(), v.before.volume()
	all := min(1, (v.now.bad()+v.before.bad())/(now+before))
	return math.Sqrt(all * (1 - all) * (1/now + 1/before))
}

// growth compares a value with that of the baseline, of which there must have been a quarter as much at the same rate.
func (r *Rule) growth(v *verdict, p Periods) bool {
	v.value, v.baseline = v.now.Value, v.before.Value
	enough := v.before.volume()*p.scale() >= r.MinVolume/4
	if math.IsNaN(v.value) || math.IsNaN(v.baseline) || !enough || v.value < v.baseline+r.MinIncrease {
		return false
	}
	if r.Below > 0 && v.baseline > r.Below {
		return false
	}
	return r.atLeast(v, v.value/max(v.baseline, 1))
}

func (r *Rule) fall(v *verdict, p Periods) bool {
	v.value, v.baseline = v.now.volume()/p.length(), v.before.volume()/p.baseline()
	left := v.value / v.baseline
	return r.grade(v, func(threshold float64) bool { return left <= threshold })
}

func (r *Rule) rise(v *verdict, p Periods) bool {
	if p.scale() <= 0 || v.before.volume() <= 0 {
		return false
	}
	v.value, v.baseline = v.now.volume()/p.length(), v.before.volume()/p.baseline()
	return r.atLeast(v, v.value/v.baseline)
}

// atLeast grades a value that is worse the larger it is.
func (r *Rule) atLeast(v *verdict, value float64) bool {
	return r.grade(v, func(threshold float64) bool { return value >= threshold })
}

// grade sets the gravest severity whose threshold is reached, and says whether there is one.
func (r *Rule) grade(v *verdict, reached func(threshold float64) bool) bool {
	for _, s := range severities {
		if t := r.threshold(s); t != nil && reached(*t) {
			v.severity = s
			return true
		}
	}
	return false
}

func (t *Thresholds) threshold(s Severity) *float64 {
	return map[Severity]*float64{Info: t.Info, Warning: t.Warning, Critical: t.Critical}[s]
}

// least is the threshold of the lowest severity that the rule has.
func (t *Thresholds) least() float64 {
	for _, one := range []*float64{t.Info, t.Warning, t.Critical} {
		if one != nil {
			return *one
		}
	}
	return math.Inf(1)
}
