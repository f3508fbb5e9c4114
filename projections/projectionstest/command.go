package projectionstest

import (
	"context"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Intent is a command that a node has authorised, and not filed yet.
type Intent struct {
	node  *Process
	by    *played
	actor domain.Actor
	at    eventstore.Seq
}

// Authorise has a node decide whether a token may give a command; nil: no.
func (p *Play) Authorise(label, by string) (Result, *Intent) {
	n, t := p.Node(label), p.token(by)
	i := &Intent{node: n, by: t, at: n.Position.At(), actor: domain.Actor{Account: p.account, Token: t.id, Generation: 1}}
	if r := p.Check(label, by); r.Words != string(domain.Granted) {
		return r, nil
	}
	return Result{Words: "authorised"}, i
}

// FileIntent files an authorised command, the issue of a token, by way of its node.
func (p *Play) FileIntent(i *Intent, id string, on domain.Pattern) Result {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	t, e := p.enter(id, on)
	if i == nil {
		return Result{Words: "refused"}
	}
	p.mu.Lock()
	t.void = i.by.fenced
	p.mu.Unlock()
	f := p.fact(t.id, e)
	f.Actor, f.Authorised = i.actor, i.at
	switch out, err := i.node.change(ctx, f, func(*domain.Token) bool { return false }); {
	case err != nil:
		return Result{Words: "unknown"}
	case out.Void != "":
		p.tally(func(c *Count) { c.Void++ })
		return Result{Words: "void"}
	}
	p.tally(func(c *Count) { c.Counted++ })
	return Result{Words: "counts"}
}
