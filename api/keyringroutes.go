package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"hallpass/api/wire"
	"hallpass/domain"
)

// SecretsUnder counts the live secrets that are kept sealed, by their key, as
// far as this node knows: those of tokens that are neither revoked nor in a
// closed account. Its error is that of ctx.
func (s *Service) SecretsUnder(ctx context.Context) (map[domain.KeyID]int, error) {
	under := map[domain.KeyID]int{}
	err := s.eachSealed(ctx, func(_ domain.Target, held domain.Held) { under[held.Sealed.Key]++ })
	return under, err
}

// showKeyring answers GET /v1/keyring. No key is ever shown.
func (c *call) showKeyring() (reply, error) {
	if err := c.may(domain.RootAccount, domain.AuditNeed("ReadAudit")); err != nil {
		return reply{}, err
	}
	at := c.h.svc.Revision()
	under, err := c.h.svc.SecretsUnder(c.r.Context())
	if err != nil {
		return reply{}, domain.Errorf(domain.CodeNotReady, "the request ended before the secrets were counted")
	}
	k := c.h.svc.keyring()
	out := wire.Keyring{Current: string(k.Current()), Keys: []wire.Key{}}
	for _, key := range k.Keys() {
		out.Keys = append(out.Keys, wire.Key{ID: string(key.ID), CreatedAt: &key.Created, Current: key.Current, Here: true, Secrets: under[key.ID]})
		delete(under, key.ID)
	}
	here := len(out.Keys)
	for id, n := range under {
		out.Keys = append(out.Keys, wire.Key{ID: string(id), Secrets: n})
	}
	slices.SortFunc(out.Keys[here:], func(a, b wire.Key) int { return strings.Compare(a.ID, b.ID) })
	return reply{body: out, revision: at}, nil
}

func (h *handler) keyringRoutes() []*route {
	return append(h.revealRoutes(), &route{
		method: http.MethodGet, path: "/v1/keyring", id: "showKeyring", tag: "operations", summary: "Show the keys that secrets are sealed with",
		about: "Their ids and how many secrets are under each, never the keys themselves: those of this node's keyring, and those that it lacks though secrets are under them. Takes ReadAudit on /audit of the account root.",
		do:    (*call).showKeyring, out: wire.Keyring{},
	})
}
