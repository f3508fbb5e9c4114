package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

const (
	checkpointEvery = 1000            // facts
	checkpointAfter = 5 * time.Second // from the first fact that no checkpoint covers
	sightingAge     = 5 * time.Second // beyond which a barrier says nothing about now
)

// HistoryError says that what this node read is not what a majority of the
// stream's replicas holds, or not what this node itself once had read.
type HistoryError struct {
	After  Seq    // the histories are the same up to here, as far as known
	By     Seq    // and differ somewhere up to here
	At     Seq    // the first record that differs or is missing, if that could be found out; else 0
	Why    string // what was seen
	GiveUp string // what to say to go on with this history in spite of it; see Config.GiveUp
}

func (e *HistoryError) Error() string {
	where := fmt.Sprintf("between revisions %d and %d", e.After, e.By)
	if e.At != 0 {
		where = fmt.Sprintf("from revision %d on", e.At)
	}
	what := "this node answers no checks; have it read a whole copy again (hallpass node resync), or restore the stream from a backup"
	if e.GiveUp != "" {
		what += "; to go on with what there is, and to lose the rest for good, start once with --give-up " + e.GiveUp
	}
	return fmt.Sprintf("the history that this node reads is damaged %s: %s; %s", where, e.Why, what)
}

// checkpoints is what the stream's checkpoint records say, and what they leave
// uncovered. The fold writes it.
type checkpoints struct {
	last    Seq             // the newest checkpoint record
	size    uint64          // of the tree that it covers
	agreed  eventstore.Mark // the newest that this node could compare
	through Seq             // the newest fact that it covers
	calling uint64          // the tree's size behind the newest fact that calls for one
	since   time.Duration   // CLOCK_BOOTTIME when the first uncovered such fact was applied
}

// callForCheckpoint notes that the fact being applied, which will be the
// tree's next leaf, calls for a checkpoint.
func (f *fold) callForCheckpoint() {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &f.checkpoints
	if c.calling <= c.size {
		c.since = f.boot()
	}
	c.calling = f.tree.size() + 1
}

// due tells whether a checkpoint should be written.
func (c *checkpoints) due(now time.Duration) bool {
	return c.calling > c.size && (c.calling-c.size >= checkpointEvery || now-c.since >= checkpointAfter)
}

// meet folds a checkpoint record: what a majority had must be what this node has.
func (f *fold) meet(e *domain.Checkpoint, seq Seq) error {
	root, known := f.tree.rootAt(e.Size)
	switch {
	case e.Size > f.tree.size():
		f.takeBack()
		return &HistoryError{After: f.checkpoints.through, By: seq, Why: fmt.Sprintf(
			"the checkpoint at revision %d covers %d facts, and only %d came before it", seq, e.Size, f.tree.size())}
	case known && root != e.Root:
		f.takeBack()
		return &HistoryError{After: f.checkpoints.through, By: seq, Why: fmt.Sprintf(
			"the checkpoint at revision %d, on which a majority of the replicas agreed, has another root", seq)}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &f.checkpoints
	c.last, c.size = seq, e.Size
	if through, ok := f.tree.seqOf(e.Size - 1); ok && known {
		c.through = through
		c.agreed = eventstore.Mark{Seq: through, Size: e.Size, Root: e.Root}
	}
	f.syncDue.Store(f.current)
	return nil
}

// takeBack has what this node noted of a history that a majority does not have
// taken back, and nothing noted of the records that came along with the word of it.
func (f *fold) takeBack() {
	f.heads.backTo(f.checkpoints.agreed)
	f.newest = 0
}

// checkpointing appends checkpoint records as they are due, and has what head
// says reach the disk after each.
func (l *life) checkpointing(ctx context.Context) {
	for l.pause(ctx, l.cfg.Node.renewEvery()) == nil {
		if l.fold.syncDue.Swap(false) { // beside the fold, which a slow disk must not hold up
			l.fold.heads.sync()
		}
		if !l.cfg.Node.FollowOnly {
			l.checkpoint(ctx)
		}
	}
}

// checkpoint appends a checkpoint record if one is due, and followers of a
// majority of the replicas have said in their barriers that they have the same
// history. Of several nodes that do so at once one wins.
func (l *life) checkpoint(ctx context.Context) {
	now := l.cfg.Boot()
	c := l.fold.checkpointsNow()
	if !c.due(now) {
		return
	}
	if l.fold.members.outvoted(now - sightingAge) {
		return // what this node reads may be what is damaged, and the others would stop by its word
	}
	size, seen := l.agreed(now)
	root, ok := l.fold.tree.rootAt(size)
	if size <= c.size || !ok {
		l.logger.Debug("a checkpoint is due, and no majority of the replicas is known to hold the same", "records", c.calling)
		return
	}
	fact := l.newFact(domain.Checkpoint{Size: size, Root: root, Seen: seen})
	data := domain.Encode(fact)
	if _, err := domain.Decode(data); err != nil { // stored, it would stop every node
		l.logger.Error("a checkpoint that nodes could not read is not written", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, barrierTime)
	defer cancel()
	_, err := l.log.Append(ctx, eventstore.Entry{
		Subject: eventstore.CheckpointSubject, Expect: c.last, ID: fact.ID, Type: fact.Event.Type(), Data: data,
	})
	if conflict := (*eventstore.ConflictError)(nil); err != nil && !errors.As(err, &conflict) {
		l.logger.Debug("a checkpoint was not written", "error", err)
	}
}

// agreed returns the largest number of facts that a majority of the replicas
// are known to hold as this node has them, and by whom that is known.
func (l *life) agreed(now time.Duration) (size uint64, seen []domain.Sighting) {
	type copyOf struct {
		size uint64
		domain.Sighting
	}
	best := map[string]copyOf{}
	own := l.follower.replicaRead()
	best[own] = copyOf{l.fold.tree.size(), domain.Sighting{Replica: own, By: l.self}}
	for of, s := range l.fold.members.sightings(now - sightingAge) {
		if s.replica == "" { // whose copy it reads isn't known: perhaps one that is counted already
			continue
		}
		if s.agrees && of != l.self && best[s.replica].size < s.size && s.replica != own {
			best[s.replica] = copyOf{s.size, domain.Sighting{Replica: s.replica, By: of}}
		}
	}
	var copies []copyOf
	for _, c := range best {
		copies = append(copies, c)
	}
	majority := l.log.Settings().Replicas/2 + 1
	if len(copies) < majority || majority > 1 && own == "" {
		return 0, nil
	}
	slices.SortFunc(copies, func(a, b copyOf) int { return int(b.size) - int(a.size) })
	for _, c := range copies[:majority] {
		seen = append(seen, c.Sighting)
	}
	return copies[majority-1].size, seen
}
