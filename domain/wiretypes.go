package domain

func (w *writer) accountEdited(e *AccountEdited) {
	if e.Name != nil {
		w.optStr(1, *e.Name)
	}
	if e.ManagedBy != nil {
		w.num(2, uint64(*e.ManagedBy)+1)
	}
}

func (r *reader) accountEdited() Event {
	e := AccountEdited{Name: r.optStr(1)}
	if r.at < r.end {
		m := Managers(r.enum(2, uint64(SessionsOnly)+1) - 1)
		e.ManagedBy = &m
	}
	r.close(2)
	return e
}

func (w *writer) typeDefined(e *TypeDefined) {
	w.str(1, e.Def.Name)
	w.str(2, e.Def.Description)
	for i := range e.Def.Actions {
		a := &e.Def.Actions[i]
		at := w.open(3)
		w.str(1, a.Name)
		w.num(2, uint64(a.Level))
		w.str(3, a.Description)
		w.close(at)
	}
}

func (r *reader) typeDefined() Event {
	e := TypeDefined{TypeDef{Name: r.id(1), Description: r.str(2)}}
	for r.has(3, wireBytes) {
		o := r.enter(3, "ActionDef")
		a := ActionDef{Name: r.str(1), Level: Level(r.enum(2, uint64(LevelWrite))), Description: r.str(3)}
		if a.Name == "" {
			r.fail(1, "is missing")
		}
		r.leave(o, 3)
		e.Def.Actions = append(e.Def.Actions, a)
	}
	r.close(3)
	return e
}
