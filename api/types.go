package api

import (
	"net/http"

	"hallpass/api/wire"
	"hallpass/domain"
)

const typePath = "/v1/catalog/types/{type}"

func (h *handler) typeRoutes() []*route {
	return []*route{
		{method: "GET", path: "/v1/catalog", id: "catalog", tag: "use", summary: "List resource types and their actions",
			do: (*call).catalog, out: wire.Catalog{}},
		{method: "PUT", path: typePath, id: "defineType", tag: "catalog", summary: "Define a resource type",
			about: "Adds it (201) or replaces it (200). The level of an action never changes, and an action that grants name can't be left out. Takes DefineType on /catalog/{type}, with a token of the account root.",
			do:    (*call).defineType, query: []param{waitParam}, in: wire.DefineType{}, out: wire.Type{}, made: true,
			codes: []string{"type_in_use", "too_large"}},
		{method: "DELETE", path: typePath, id: "removeType", tag: "catalog", summary: "Remove a resource type",
			about: "The answer shows it as it was. Refused while tokens name its actions: the detail names ten of them. A token that is issued at the same moment may keep its grant, which then means what it meant. Takes RemoveType on /catalog/{type}, with a token of the account root.",
			do:    (*call).removeType, query: []param{waitParam}, out: wire.Type{},
			codes: []string{"not_found", "type_in_use", "actor_revoked", "conflict", "unknown", "stream_full", "cluster_upgrading", "not_fenced", "history_differs", "replica_damaged"}},
	}
}

func (c *call) catalog() (reply, error) {
	out := wire.Catalog{Types: []wire.Type{}}
	types := c.h.svc.proj.Directory.Catalog().Types
	for i := range types {
		out.Types = append(out.Types, wireType(&types[i]))
	}
	return reply{body: out, revision: c.by.Authority.At}, nil
}

func wireType(t *domain.TypeDef) wire.Type {
	out := wire.Type{Name: t.Name, Description: t.Description, Builtin: domain.Builtin().Type(t.Name) != nil, Actions: []wire.Action{}}
	for _, a := range t.Actions {
		out.Actions = append(out.Actions, wire.Action{Name: a.Name, Level: a.Level.String(), Description: a.Description})
	}
	return out
}

func (c *call) defineType() (reply, error) {
	name, err := c.typeName()
	if err != nil {
		return reply{}, err
	}
	var in wire.DefineType
	if err := c.readInto(&in); err != nil {
		return reply{}, err
	}
	def := domain.TypeDef{Name: name, Description: in.Description}
	for _, a := range in.Actions {
		def.Actions = append(def.Actions, domain.ActionDef{Name: a.Name, Level: levelOf(a.Level), Description: a.Description})
	}
	was, rep, err := c.changeType(domain.DefineType{Def: def}, &def)
	if err != nil {
		return reply{}, err
	}
	if was == nil {
		rep.status, rep.location = http.StatusCreated, "/v1/catalog"
	}
	return rep, nil
}

// levelOf returns the level of that name; 0, which the domain refuses, if there
// is none.
func levelOf(name string) domain.Level {
	for l := domain.LevelList; l <= domain.LevelWrite; l++ {
		if l.String() == name {
			return l
		}
	}
	return 0
}

func (c *call) removeType() (reply, error) {
	name, err := c.typeName()
	if err != nil {
		return reply{}, err
	}
	_, rep, err := c.changeType(domain.RemoveType{Name: name}, nil)
	return rep, err
}

// changeType carries out a command on a type, and answers with shown, or with
// the type as it was; was is nil if there was none.
func (c *call) changeType(cmd domain.Command, shown *domain.TypeDef) (was *domain.TypeDef, _ reply, _ error) {
	c.allowTime()
	r, err := c.h.svc.change(c.r.Context(), c.by, cmd.Target(), c.queryWait(), func(_ Caller, s domain.State) (domain.Command, error) {
		was = s.Type
		return cmd, nil
	})
	if err != nil {
		return nil, reply{}, c.stored(r, err)
	}
	if shown == nil {
		shown = was
	}
	body := wireType(shown)
	body.Receipt = wireReceipt(r.Receipt)
	return was, reply{body: body, revision: r.Revision, wait: r.Wait}, nil
}

// typeName returns the type of the path, which is an id like any other.
func (c *call) typeName() (string, error) {
	name := c.r.PathValue("type")
	if _, err := domain.ParseTokenID(name); err != nil {
		return "", domain.Errorf(codeBadPath, "a type's name is 1 to 64 of the characters A-Z a-z 0-9 _ and -")
	}
	return name, nil
}
