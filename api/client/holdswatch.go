package client

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// watch follows the watcher. While that can't be, nothing is held.
func (h *Holds) watch() {
	for {
		err := h.follow()
		if h.life.Err() != nil {
			return
		}
		h.stop(cmp.Or(err, errNotWatched))
		if !sleep(h.life, time.Second) {
			return
		}
	}
}

func (h *Holds) follow() (last error) {
	for n, err := range h.watcher.Revocations(h.life, Now) {
		if err != nil {
			return err
		}
		switch n := n.(type) {
		case Revoked:
			h.revoked(n)
		case Missed:
			h.missed(n)
		}
	}
	return nil
}

// revoked sees to everything held that the record concerns.
func (h *Holds) revoked(r Revoked) {
	h.mu.Lock()
	h.seen = max(h.seen, r.Revision)
	var over []*Held
	for x := range h.by[r.Account] {
		switch {
		case !x.concerned(r) || x.at >= r.Revision:
		case r.Final():
			over = append(over, x)
		default:
			h.askLocked(x, max(x.want, r.Revision))
		}
	}
	h.mu.Unlock()
	for _, x := range over {
		h.drop(x, &CutError{Decision: Decision{Code: CodeInvalidToken, Revision: r.Revision}})
	}
}

// concerned tells whether the record is about x's token or one that it was
// derived from.
func (x *Held) concerned(r Revoked) bool {
	return r.Concerns(x.account, x.token) ||
		slices.ContainsFunc(x.ancestors, func(id string) bool { return r.Concerns(x.account, id) })
}

// missed has everything checked again.
func (h *Holds) missed(m Missed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn++
	if !m.Blind {
		h.seen = m.MinRevision // which may be lower: another history
		if !h.closed {
			h.begin()
		}
	}
	for _, x := range h.allLocked() {
		if m.Blind {
			h.askLocked(x, x.want)
			continue
		}
		x.at = 0 // perhaps of another history: whatever is told from here on counts
		h.askLocked(x, m.MinRevision)
	}
}

// begin lets things be held.
func (h *Holds) begin() {
	h.why = nil
	select {
	case <-h.begun:
	default:
		close(h.begun)
	}
}

// tick has everything checked again every now and then.
func (h *Holds) tick() {
	for sleep(h.life, h.cfg.Recheck) {
		h.mu.Lock()
		for _, x := range h.allLocked() {
			h.askLocked(x, x.want)
		}
		h.mu.Unlock()
	}
}

// askLocked has x checked again.
func (h *Holds) askLocked(x *Held, want uint64) {
	x.want = want
	if !x.asked {
		x.asked, x.due = true, time.Now().Add(h.cfg.Patience)
	}
	if !x.running && !h.closed {
		x.running = true
		h.work.Go(func() { h.seeTo(x) })
	}
}

// seeTo checks x until nobody asks for that any more, or it is cut.
func (h *Holds) seeTo(x *Held) {
	for {
		h.mu.Lock()
		need, due := x.need, x.due
		need.MinRevision = max(need.MinRevision, x.want)
		if x.running = x.asked; !x.running {
			h.mu.Unlock()
			return
		}
		x.asked = false
		h.mu.Unlock()
		d, err := h.checkBy(x, need, due)
		if err != nil || !d.Allowed {
			h.drop(x, &CutError{d, err})
			return
		}
		h.decided(x, d)
	}
}

// checkBy checks again and again, until there is a decision or it is too late.
func (h *Holds) checkBy(x *Held, need Need, due time.Time) (Decision, error) {
	ctx, cancel := context.WithDeadline(x.life, due)
	defer cancel()
	select {
	case h.room <- struct{}{}:
		defer func() { <-h.room }()
	case <-ctx.Done():
		return Decision{}, ctx.Err()
	}
	for {
		d, err := h.checker.Check(ctx, x.secret, need)
		if err == nil {
			return d, nil
		}
		if !sleep(ctx, h.cfg.Patience/20) {
			return Decision{}, err
		}
	}
}
