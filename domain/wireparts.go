package domain

import "slices"

func (w *writer) tags(n byte, tags []Tag) {
	for _, t := range tags {
		at := w.open(n)
		w.str(1, t.Key)
		w.str(2, t.Value)
		w.close(at)
	}
}

// tags wants keys in ascending order, none empty and none twice.
func (r *reader) tags(n byte) []Tag {
	k := r.count(n)
	if k == 0 {
		return nil
	}
	tags := make([]Tag, 0, k)
	last := ""
	for r.has(n, wireBytes) {
		o := r.enter(n, "Tag")
		t := Tag{r.str(1), r.str(2)}
		r.leave(o, 2)
		if t.Key <= last {
			r.fail(n, "has keys that are empty, repeated or out of order")
		}
		last = t.Key
		tags = append(tags, t)
	}
	return tags
}

func (w *writer) permissions(n byte, p *Permissions) {
	at := w.open(n)
	w.num(1, uint64(p.Mode))
	w.grants(2, p.Allow)
	w.grants(3, p.Deny)
	w.close(at)
}

// permissions fills p from the message in field n, whose key was taken.
func (r *reader) permissions(n byte, p *Permissions) {
	o := r.enter(n, "Permissions")
	p.Mode = Mode(r.enum(1, uint64(FirstMatch)))
	p.Allow = r.grants(2)
	p.Deny = r.grants(3)
	r.leave(o, 3)
}

func (w *writer) grants(n byte, grants []Grant) {
	for i := range grants {
		g := &grants[i]
		at := w.open(n)
		w.str(1, string(g.Resource))
		for _, a := range g.Actions {
			w.optStr(2, string(a))
		}
		w.flag(3, g.Unverified)
		w.close(at)
	}
}

// grants wants resources to start with "/" and actions not to be empty: the
// rest of domain relies on that much. The rules of ParsePattern may become
// stricter, and what was written before must still be read.
func (r *reader) grants(n byte) []Grant {
	k := r.count(n)
	if k == 0 {
		return nil
	}
	grants := make([]Grant, k)
	for i := range grants {
		r.has(n, wireBytes)
		o := r.enter(n, "Grant")
		g := &grants[i]
		if g.Resource = Pattern(r.str(1)); g.Resource == "" || g.Resource[0] != '/' {
			r.fail(1, "is no path")
		}
		g.Actions = r.actions(2)
		g.Unverified = r.flag(3)
		r.leave(o, 3)
	}
	return grants
}

func (r *reader) actions(n byte) []Action {
	k := r.count(n)
	if k == 0 {
		return nil
	}
	actions := make([]Action, k)
	for i := range actions {
		actions[i] = Action(r.str(n))
	}
	return actions
}

func (w *writer) reason(n byte, v Reason) {
	at := w.open(n)
	w.str(1, string(v.Code))
	w.str(2, v.Text)
	w.close(at)
}

// reason takes a required reason with one of the ReasonCodes: field 1 wherever
// there is one.
func (r *reader) reason() Reason {
	if !r.has(1, wireBytes) {
		r.missing(1)
		return Reason{}
	}
	o := r.enter(1, "Reason")
	v := Reason{ReasonCode(r.str(1)), r.str(2)}
	if !slices.Contains(ReasonCodes, v.Code) {
		r.fail(1, "is a value that this version does not know")
	}
	r.leave(o, 2)
	return v
}
