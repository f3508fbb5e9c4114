package projections

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"log/slog"

	"hallpass/eventstore"
)

// HeadFile keeps, beside a node's data, how far the node had come. It is
// *eventstore.Head.
type HeadFile interface {
	// Mark returns what was written last; false if nothing was.
	Mark() (eventstore.Mark, bool)
	// Write replaces it, unless it lies below; it survives the death of the
	// process.
	Write(eventstore.Mark) error
	// Forget has the next Write replace it wherever that lies.
	Forget()
	// Sync has it survive the death of the machine too.
	Sync() error
}

// heads compares the history that is read with the one that this node had read
// before, and notes how far it has come. The fold alone uses it.
type heads struct {
	file   HeadFile // nil: there is none
	logger *slog.Logger
	want   eventstore.Mark // to be met again; Size 0: nothing, or it was
	gap    error           // the first gap in the replay, of no matter once want is met; nil: none
	gaveUp bool            // the operator goes on with what there is
}

// newHeads starts with what the file says, unless that is what is to be given up.
func newHeads(cfg *Config) *heads {
	h := &heads{file: cfg.Head, logger: cfg.Logger}
	if h.file == nil {
		return h
	}
	mark, ok := h.file.Mark()
	switch {
	case !ok:
	case cfg.GiveUp == MarkText(mark):
		h.logger.Warn("a history that this node had read is given up, as its operator said", "mark", cfg.GiveUp)
		h.gaveUp = true
		h.file.Forget()
	default:
		h.want = mark
	}
	return h
}

// MarkText is a mark as operators see it: "REVISION:ROOT".
func MarkText(m eventstore.Mark) string {
	return fmt.Sprintf("%d:%s", m.Seq, hex.EncodeToString(m.Root[:]))
}

// met compares, when the tree has grown to where this node had once come. Up to
// same a checkpoint says that all is well.
func (h *heads) met(seq Seq, t *tree, same Seq) error {
	if h.want.Size == 0 || t.size() != h.want.Size {
		return nil
	}
	_, root := t.head()
	if seq != h.want.Seq || root != h.want.Root {
		return h.error(same, seq, fmt.Sprintf("%d facts were there before too, but others, the newest at revision %d", h.want.Size, h.want.Seq))
	}
	h.want, h.gap = eventstore.Mark{}, nil
	return nil
}

// owed tells whether what this node had read before is still to be met.
func (h *heads) owed() bool { return h.want.Size != 0 }

// caughtUp tells that the history is read to its end.
func (h *heads) caughtUp(applied Seq, t *tree, same Seq) error {
	if h.want.Size == 0 {
		return nil
	}
	return h.because(h.error(same, applied, fmt.Sprintf("it ends after %d facts, and this node had read %d, up to revision %d, before", t.size(), h.want.Size, h.want.Seq)))
}

// missing tells whether the replay may go on although records are missing
// before the one that came: they are given up, or were when the mark was
// written, if that is met.
func (h *heads) missing(applied, came Seq) bool {
	switch {
	case h.gaveUp:
		h.logger.Warn("records are missing, and are given up, as the operator said", "from", applied+1, "to", came-1)
	case h.want.Size == 0:
		return false
	case h.gap == nil:
		h.gap = h.lacks(applied, came)
	}
	return true
}

// because returns why a replay can't go on, which is the first gap if there was
// one.
func (h *heads) because(err error) error { return cmp.Or(h.gap, err) }

// lacks is for records that are missing between what was applied and the one
// that came.
func (h *heads) lacks(applied, came Seq) error {
	e := &HistoryError{After: applied, By: came, At: applied + 1, Why: fmt.Sprintf("revisions %d to %d are missing", applied+1, came-1)}
	if h.want.Size != 0 {
		e.GiveUp = MarkText(h.want)
	}
	return e
}

func (h *heads) error(same, at Seq, why string) error {
	return &HistoryError{After: same, By: at, Why: why, GiveUp: MarkText(h.want)}
}

// note writes how far the node has come. It does so before anyone is told of
// what was applied; while a history is still compared, nothing is written.
func (h *heads) note(t *tree, seq Seq) {
	if h.file == nil || h.want.Size != 0 {
		return
	}
	size, root := t.head()
	if err := h.file.Write(eventstore.Mark{Seq: seq, Size: size, Root: root}); err != nil {
		h.logger.Error("how far this node has come could not be noted beside its data", "error", err)
	}
}

// backTo takes back what was noted of a history that a majority does not have:
// it goes back to the newest checkpoint that agreed. What an earlier life had
// noted, and this one has not met, stays.
func (h *heads) backTo(agreed eventstore.Mark) {
	if h.file == nil || h.owed() {
		return
	}
	h.file.Forget()
	if err := h.file.Write(agreed); err != nil {
		h.logger.Error("how far this node had come could not be taken back beside its data", "error", err)
	}
	h.sync()
}

func (h *heads) sync() {
	if h.file == nil {
		return
	}
	if err := h.file.Sync(); err != nil {
		h.logger.Error("how far this node has come could not be synced beside its data", "error", err)
	}
}
