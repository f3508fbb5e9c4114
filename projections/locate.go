package projections

import (
	"context"
	"time"

	"hallpass/eventstore"
)

const (
	locateTime = 3 * time.Second // for another node to tell what it read
	toldAtMost = 1500            // facts: some 150 kB
	copyTries  = 10              // readers, which land on a server by lot
)

// locate finds out at which record this node's history parts from another
// node's, and returns e with it; e as it is when nobody can tell in time, or
// this node doesn't remember that much.
func (a *asker) locate(ctx context.Context, e *HistoryError) error {
	ctx, cancel := context.WithTimeout(ctx, locateTime)
	defer cancel()
	told := make(chan *factsTold, 8)
	stop, err := a.log.Listen(topicTold+a.self.String(), "", func(data []byte) {
		var t factsTold
		if strictly(data, &t) == nil && t.Stream == a.stream {
			select {
			case told <- &t:
			default:
			}
		}
	})
	if err != nil {
		return e
	}
	defer stop()
	own, after := a.fold.tree.after(e.After), e.After
	if newest, ok := a.fold.tree.seqOf(a.fold.tree.size() - 1); len(own) == 0 && ok && newest > after {
		return e // too long past
	}
	if a.askFacts(after) != nil {
		return e
	}
	for {
		select {
		case t := <-told:
			if t.After != after {
				continue // once more, from another one
			}
			if at, ok := parting(own, t.Facts, e.By); ok {
				found := *e
				found.At = at
				return &found
			}
			if n := len(t.Facts); 0 < n && n < len(own) { // the same so far
				own, after = own[n:], t.Facts[n-1].Seq
				if a.askFacts(after) != nil {
					return e
				}
			}
		case <-ctx.Done():
			return e
		}
	}
}

func (a *asker) askFacts(after Seq) error {
	return a.log.Send(topicFacts, encode(factsCall{Stream: a.stream, After: after, From: idOf(a.self)}))
}

// parting returns the first record that isn't in both. It is below the one at
// which the difference was seen, if that one is missing in own: otherwise the
// other node read what this one did.
func parting(own, other []factsAt, seen Seq) (Seq, bool) {
	for i := range min(len(own), len(other)) {
		if own[i] != other[i] {
			return min(own[i].Seq, other[i].Seq), true
		}
	}
	if len(other) > len(own) && other[len(own)].Seq != seen {
		return other[len(own)].Seq, true // the rest is missing here
	}
	return 0, false
}

// after returns the facts above seq, as far as they are remembered: none if
// the first of them is too long past.
func (t *tree) after(seq Seq) []factsAt {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, n := t.findLocked(seq + 1)
	if l == nil {
		return nil
	}
	var out []factsAt
	for ; n < t.front.size; n++ {
		l := &t.leaves[n%treeWindow]
		out = append(out, factsAt{l.seq, l.hash})
	}
	return out
}

// tell answers nodes that look for where their history parts from others'.
func (l *life) tell() (stop func(), err error) {
	return l.log.Listen(topicFacts, "", func(data []byte) {
		var c factsCall
		if strictly(data, &c) != nil || c.Stream != l.stream || c.From == idOf(l.self) {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), locateTime)
		defer cancel()
		facts := l.facts(ctx, c.After)
		if err := l.log.Send(topicTold+c.From.incarnation().String(), encode(factsTold{Stream: l.stream, After: c.After, Facts: facts})); err != nil {
			l.logger.Debug("where another history parts was not told", "error", err)
		}
	})
}

// facts reads the first facts above after, from the log: they may be older
// than what the tree remembers. None come from a copy that this node does not
// follow: it may be the damaged one.
func (l *life) facts(ctx context.Context, after Seq) (facts []factsAt) {
	r, err := l.log.Read(ctx, after+1)
	for try := 1; err == nil && r.Replica() != l.follower.replicaRead(); try++ {
		r.Close()
		if try == copyTries {
			return nil
		}
		r, err = l.log.Read(ctx, after+1)
	}
	if err != nil {
		return nil
	}
	defer r.Close()
	last := l.fold.position.At()
	buf := make([]eventstore.Record, 256)
	var scratch []byte
	for at := after; at < last && len(facts) < toldAtMost; {
		n, err := r.Next(ctx, buf)
		if err != nil {
			break
		}
		for i := range buf[:n] {
			if at = buf[i].Seq; !isBarrier(buf[i].Subject) && at <= last {
				facts = append(facts, factsAt{at, leafOf(&buf[i], &scratch)})
			}
		}
	}
	return facts
}
