package eventstore

import "context"

// AppendBatch implements Log.
func (m *Memory) AppendBatch(ctx context.Context, entries []Entry) (Seq, error) {
	if err := checkBatch(entries); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	if at := m.storedBatchLocked(entries); at != 0 {
		return at, nil
	}
	size := uint64(0)
	for i := range entries {
		e := &entries[i]
		if last := m.last[e.Subject]; last != e.Expect {
			return 0, &ConflictError{Subject: e.Subject, Last: last}
		}
		size += sizeOf(*e)
	}
	if m.maxBytes > 0 && m.bytes+size > m.maxBytes {
		return 0, ErrFull
	}
	var seq Seq
	for i := range entries {
		seq = m.storeLocked(entries[i], "")
		m.batched[entries[i].ID] = seq
	}
	return seq, nil
}

// storedBatchLocked returns the place of the last of the entries if they are
// what is stored and none of their subjects has moved on, else 0.
func (m *Memory) storedBatchLocked(entries []Entry) (at Seq) {
	for i := range entries {
		is := m.batched[entries[i].ID]
		if is == 0 || i > 0 && is != at+1 || m.last[entries[i].Subject] != is {
			return 0
		}
		at = is
	}
	return at
}
