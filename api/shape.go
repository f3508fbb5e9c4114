package api

import (
	"fmt"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
)

// The shapes of api/wire, made of the domain's.

func wireAccount(a domain.Account) wire.Account {
	return wire.Account{
		ID: string(a.ID), Name: a.Name, State: a.State.String(),
		CreatedAt: a.CreatedAt.Time(), Revision: uint64(a.Revision), ManagedBy: a.ManagedBy.String(),
	}
}

func wireToken(t *domain.Token) wire.Token {
	out := wire.Token{
		Account: string(t.Account), ID: string(t.ID), Name: t.Name, Description: t.Description,
		Tags: wireTags(t.Tags), Enabled: t.Enabled, State: t.State().String(), Kind: t.Kind.String(),
		Immutable: t.Immutable, NotBefore: wireTime(t.NotBefore), ExpiresAt: wireTime(t.ExpiresAt),
		Permissions: wirePermissions(t.Permissions), Conditions: wireConditions(t.Conditions),
		Revealable: t.Revealable, Origin: t.Origin, Imported: t.Imported, IssuedBy: issuer(t.IssuedBy),
		CreatedAt: t.CreatedAt.Time(), ModifiedAt: t.ModifiedAt.Time(),
		Generation: t.Generation, Revision: uint64(t.Revision),
		Reason: string(t.Reason.Code), ReasonText: t.Reason.Text,
	}
	if t.Parent != nil {
		out.Parent = string(t.Parent.Token)
	}
	if len(t.Secrets) > 1 {
		var until domain.Instant
		for _, older := range t.Secrets[1:] {
			until = max(until, older.Until)
		}
		out.Previous, out.Retires = wireTime(until), t.Secrets[0].Retires
	}
	return out
}

func wireTags(tags []domain.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

func wireTime(i domain.Instant) *time.Time {
	if i == 0 {
		return nil
	}
	t := i.Time()
	return &t
}

func wirePermissions(p domain.Permissions) wire.Permissions {
	return wire.Permissions{Mode: p.Mode.String(), Allow: wireGrants(p.Allow), Deny: wireGrants(p.Deny)}
}

func wireGrants(grants []domain.Grant) []wire.Grant {
	out := make([]wire.Grant, len(grants))
	for i := range grants {
		out[i] = wireGrant(&grants[i])
	}
	return out
}

func wireGrant(g *domain.Grant) wire.Grant {
	actions := make([]string, len(g.Actions))
	for i, a := range g.Actions {
		actions[i] = string(a)
	}
	return wire.Grant{Resource: string(g.Resource), Actions: actions, Unverified: g.Unverified}
}

func issuer(a domain.Actor) string {
	if a.IsOperator() {
		return "operator"
	}
	return string(a.Account) + "/" + string(a.Token)
}

// wireEvent shows a record. Digests of secrets are left out.
func wireEvent(seq Seq, f *domain.Fact, void domain.VoidReason) wire.Event {
	e := wire.Event{
		ID: f.ID.String(), Type: eventName(f), Revision: uint64(seq), Time: f.Time.Time(),
		Account: string(f.Account), Token: string(f.Token), Authorised: uint64(f.Authorised),
		RequestID: f.Request, Void: string(void), Change: f.Change(),
	}
	if f.Actor.IsOperator() {
		e.Actor = wire.Actor{Operator: true}
	} else {
		e.Actor = wire.Actor{Account: string(f.Actor.Account), Token: string(f.Actor.Token), Generation: f.Actor.Generation}
	}
	return e
}

func eventName(f *domain.Fact) string { return domain.EventName(f.Event.Type()) }

// eventNames lists every name, for the filter of the event stream.
var eventNames = []string{
	"account.closed", "account.edited", "account.opened", "account.resumed", "account.suspended", "checkpoint", "genesis",
	"node.joined", "node.left",
	"token.disabled", "token.edited", "token.enabled", "token.expiring", "token.issued", "token.resealed", "token.retired",
	"token.revealed", "token.revoked", "token.rotated", "type.defined", "type.removed",
}

// permissionsOf is p as the domain takes it; an unknown mode is a fault.
func permissionsOf(b *binder, p wire.Permissions, at string) domain.Permissions {
	out := domain.Permissions{Mode: domain.Union, Allow: grantsOf(p.Allow), Deny: grantsOf(p.Deny)}
	switch p.Mode {
	case "", "union":
	case "first_match":
		out.Mode = domain.FirstMatch
	default:
		b.fault(at+"/mode", "is union or first_match")
	}
	return out
}

func grantsOf(grants []wire.Grant) []domain.Grant {
	out := make([]domain.Grant, len(grants))
	for i, g := range grants {
		out[i] = domain.Grant{Resource: domain.Pattern(g.Resource), Unverified: g.Unverified}
		for _, a := range g.Actions {
			out[i].Actions = append(out[i].Actions, domain.Action(a))
		}
	}
	return out
}

func tagsOf(m map[string]string) []domain.Tag {
	tags := make([]domain.Tag, 0, len(m))
	for k, v := range m {
		tags = append(tags, domain.Tag{Key: k, Value: v})
	}
	return tags
}

func instantOf(t *time.Time) domain.Instant {
	if t == nil {
		return 0
	}
	return domain.InstantOf(*t)
}

func etag(revision Seq) string { return fmt.Sprintf(`"%d"`, revision) }
