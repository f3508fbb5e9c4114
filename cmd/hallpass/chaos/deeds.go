package chaos

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"hallpass/api/wire"
)

// deed is a command of a token that was under way when that token was revoked.
type deed struct {
	actor, child string
}

// workers is how many give a manager's commands at once.
const workers = 8

// work has the manager issue tokens through the process until enough is
// closed. The returned function waits for the end, and notes the commands that
// were answered after that time.
func (l *load) work(ctx context.Context, p *Process, manager *token, enough <-chan struct{}) (finished func(since int64)) {
	var at sync.Mutex
	ended := map[string]int64{}
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for ctx.Err() == nil {
				select {
				case <-enough:
					return
				default:
				}
				child := l.pool.name("c")
				o := l.command(ctx, p, manager, child)
				at.Lock()
				ended[child] = o.Return
				at.Unlock()
				if o.Outcome == Refused {
					return
				}
			}
		})
	}
	return func(since int64) {
		working.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		for child, t := range ended {
			if t >= since {
				l.deeds = append(l.deeds, deed{manager.id, child})
			}
		}
	}
}

// command has the manager issue a token.
func (l *load) command(ctx context.Context, p *Process, manager *token, child string) Op {
	ctx, cancel := context.WithTimeout(ctx, l.changeTime())
	defer cancel()
	o := Op{Token: manager.id, Kind: Deed, At: p.Life, Call: l.rec.Now()}
	body := wire.IssueToken{ID: child, Permissions: permissions(child, parts[0], false)}
	a := l.cluster.Client.change(ctx, manager.secret, http.MethodPost, tokensURL(p), body, false)
	o.Return, o.Outcome, o.Revision = l.rec.Now(), a.Outcome(), a.Token.Revision
	if o.Outcome != Done {
		o.Code = a.String()
	}
	l.tally.command(&a)
	l.rec.Add(o)
	return o
}

// lateDeeds are the commands that took effect although their actor had been
// revoked at an earlier revision.
func (l *load) lateDeeds(ctx context.Context, p *Process, histories [][]Op) ([]Violation, error) {
	var out []Violation
	for _, d := range l.deeds {
		i := slices.IndexFunc(histories, func(ops []Op) bool { return ops[0].Token == d.actor })
		if i < 0 {
			continue
		}
		revoked := slices.IndexFunc(histories[i], func(o Op) bool { return o.Kind == Revoke && o.Outcome == Done })
		if revoked < 0 {
			continue
		}
		child, there, err := l.cluster.Client.token(ctx, p, d.child)
		if err != nil {
			return out, err
		}
		if end := histories[i][revoked].Revision; there && child.Revision > end {
			out = append(out, violation(histories[i], revoked,
				"token %s, revoked at revision %d, issued %s at revision %d, and that counts", d.actor, end, d.child, child.Revision))
		}
	}
	return out, nil
}
