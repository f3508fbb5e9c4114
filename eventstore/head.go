package eventstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// Mark is how far a node had come, and in which history: the newest fact that
// it had applied, how many there were, and the root of the Merkle tree over
// them.
type Mark struct {
	Seq  Seq
	Size uint64
	Root [32]byte
}

// Head is a file that keeps the newest Mark beside the data, so that a start on
// a shorter or another history is noticed. What Write returned from survives
// the death of the process, and what Sync returned from that of the machine.
//
// The file has two slots, each in a page of its own. Writes go to the one that
// isn't known to be on disk; Sync makes that the one to be spared.
type Head struct {
	path string

	mu    sync.Mutex // guards what follows
	f     *os.File
	mark  Mark
	has   bool
	count uint64 // of the newest slot; grows with each write
	slot  int64  // that writes go to
	dirty bool   // slot holds what isn't synced
	below bool   // the next mark may lie below the newest one
}

// A slot: a magic, the count, the mark, and a checksum of all that.
const (
	headMagic    = "hallpass head 1\n"
	headSlotSize = len(headMagic) + 8 + 8 + 8 + 32 + 4
	headSlotAt   = 4096 // of the second one
)

var headSum = crc32.MakeTable(crc32.Castagnoli)

// OpenHead opens the head at path, or makes one without a mark. A file that
// can't be read, or that holds something else, is an error for an operator.
func OpenHead(path string) (*Head, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("eventstore: the head file can't be opened: %w", err)
	}
	h := &Head{path: path, f: f}
	if err := h.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return h, nil
}

func (h *Head) load() error {
	content, err := io.ReadAll(h.f)
	if err != nil {
		return fmt.Errorf("eventstore: the head file %s can't be read: %w", h.path, err)
	}
	if len(content) == 0 { // new, or its maker died at once
		return syncDir(filepath.Dir(h.path))
	}
	for slot := range int64(2) {
		count, mark, ok := readSlot(content, slot*headSlotAt)
		if ok && count > h.count {
			h.count, h.mark, h.has, h.slot = count, mark, true, 1-slot
		}
	}
	if !h.has {
		return fmt.Errorf("eventstore: the head file %s is damaged or no head file: it says which history this node knew; "+
			"when you have made sure that the stream holds the whole history, remove it and start again", h.path)
	}
	return nil
}

func readSlot(content []byte, at int64) (count uint64, m Mark, ok bool) {
	if int64(len(content)) < at+int64(headSlotSize) {
		return 0, m, false
	}
	b := content[at : at+int64(headSlotSize)]
	body, sum := b[:headSlotSize-4], b[headSlotSize-4:]
	if !bytes.HasPrefix(body, []byte(headMagic)) || crc32.Checksum(body, headSum) != binary.BigEndian.Uint32(sum) {
		return 0, m, false
	}
	body = body[len(headMagic):]
	m.Seq, m.Size = Seq(binary.BigEndian.Uint64(body[8:])), binary.BigEndian.Uint64(body[16:])
	copy(m.Root[:], body[24:])
	return binary.BigEndian.Uint64(body), m, true
}

// Mark returns the newest mark; false: there is none yet.
func (h *Head) Mark() (Mark, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mark, h.has
}

// Forget lets the next mark be written although it lies below the newest one,
// which stays until then: the history that it belongs to is given up.
func (h *Head) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.below = true
}

// Write records m. A mark that lies below the newest one is left out, so those
// who write at once needn't agree on an order.
func (h *Head) Write(m Mark) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.has && !h.below && m.Seq < h.mark.Seq {
		return nil
	}
	b := make([]byte, 0, headSlotSize)
	b = append(b, headMagic...)
	b = binary.BigEndian.AppendUint64(b, h.count+1)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Seq))
	b = binary.BigEndian.AppendUint64(b, m.Size)
	b = append(b, m.Root[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, headSum))
	if _, err := h.f.WriteAt(b, h.slot*headSlotAt); err != nil {
		return fmt.Errorf("eventstore: the head file %s can't be written: %w", h.path, err)
	}
	h.count++
	h.mark, h.has, h.dirty, h.below = m, true, true, false
	return nil
}

// Sync puts what was written on disk.
func (h *Head) Sync() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.dirty {
		return nil
	}
	if err := h.f.Sync(); err != nil {
		return fmt.Errorf("eventstore: the head file %s can't be synced: %w", h.path, err)
	}
	h.dirty = false
	h.slot = 1 - h.slot
	return nil
}

// Close syncs and closes the file. The second one does nothing.
func (h *Head) Close() error {
	err := h.Sync()
	h.mu.Lock()
	defer h.mu.Unlock()
	if cerr := h.f.Close(); cerr != nil && !errors.Is(cerr, os.ErrClosed) {
		err = errors.Join(err, cerr)
	}
	return err
}

// syncDir puts the names in dir on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("eventstore: the directory %s can't be synced: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("eventstore: the directory %s can't be synced: %w", dir, err)
	}
	return nil
}
