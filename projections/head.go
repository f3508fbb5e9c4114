package projections

import (
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
	// Write replaces it; it survives the death of the process.
	Write(eventstore.Mark) error
	// Sync has it survive the death of the machine too.
	Sync() error
}

// heads compares the history that is read with the one that this node had read
// before, and notes how far it has come. The fold alone uses it.
type heads struct {
	file   HeadFile // nil: there is none
	logger *slog.Logger
	want   eventstore.Mark // to be met again; Size 0: nothing, or it was
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
	default:
		h.want = mark
	}
	return h
}

// MarkText is a mark as operators see it: "REVISION:ROOT".
func MarkText(m eventstore.Mark) string {
	return fmt.Sprintf("%d:%s", m.Seq, hex.EncodeToString(m.Root[:]))
}

// met compares, when the tree has grown to where this node had once come.
func (h *heads) met(seq Seq, t *tree) error {
	if h.want.Size == 0 || t.size() != h.want.Size {
		return nil
	}
	_, root := t.head()
	if seq != h.want.Seq || root != h.want.Root {
		return h.error(seq, fmt.Sprintf("%d facts were there before too, but others, the newest at revision %d", h.want.Size, h.want.Seq))
	}
	h.want = eventstore.Mark{}
	return nil
}

// caughtUp tells that the history is read to its end.
func (h *heads) caughtUp(applied Seq, t *tree) error {
	if h.want.Size == 0 {
		return nil
	}
	return h.error(applied, fmt.Sprintf("it ends after %d facts, and this node had read %d, up to revision %d, before", t.size(), h.want.Size, h.want.Seq))
}

func (h *heads) error(at Seq, why string) error {
	return &HistoryError{By: at, Why: why, GiveUp: MarkText(h.want)}
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

func (h *heads) sync() {
	if h.file == nil {
		return
	}
	if err := h.file.Sync(); err != nil {
		h.logger.Error("how far this node has come could not be synced beside its data", "error", err)
	}
}
