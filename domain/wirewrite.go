package domain

import "encoding/binary"

// The wire types of protobuf that event.proto has a use for.
const (
	wireVarint = 0
	wireBytes  = 2
)

// writer appends protobuf fields. Its callers go by ascending field number;
// field numbers stay below 16, so that a key is one byte. Methods leave zero
// values out, as proto3 does, unless they are called opt….
type writer struct{ buf []byte }

func (w *writer) key(n, wire byte) { w.buf = append(w.buf, n<<3|wire) }

func (w *writer) num(n byte, v uint64) {
	if v != 0 {
		w.optNum(n, v)
	}
}

func (w *writer) optNum(n byte, v uint64) {
	w.key(n, wireVarint)
	w.buf = binary.AppendUvarint(w.buf, v)
}

func (w *writer) flag(n byte, v bool) {
	if v {
		w.optNum(n, 1)
	}
}

func (w *writer) optFlag(n byte, v bool) {
	if v {
		w.optNum(n, 1)
	} else {
		w.optNum(n, 0)
	}
}

func (w *writer) str(n byte, s string) {
	if s != "" {
		w.optStr(n, s)
	}
}

func (w *writer) optStr(n byte, s string) {
	w.key(n, wireBytes)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *writer) bytes(n byte, b []byte) {
	w.key(n, wireBytes)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(b)))
	w.buf = append(w.buf, b...)
}

// open starts a message in field n and returns what close takes.
func (w *writer) open(n byte) (at int) {
	w.key(n, wireBytes)
	w.buf = append(w.buf, 0) // the length, while it fits a byte
	return len(w.buf)
}

// close fills in the length of the message that open started.
func (w *writer) close(at int) {
	n := len(w.buf) - at
	if n < 0x80 {
		w.buf[at-1] = byte(n)
		return
	}
	var size [binary.MaxVarintLen64]byte
	more := binary.PutUvarint(size[:], uint64(n)) - 1
	w.buf = append(w.buf, size[:more]...) // room, overwritten next
	copy(w.buf[at+more:], w.buf[at:at+n])
	copy(w.buf[at-1:], size[:more+1])
}

// closeUnlessEmpty is close for a field of bytes, where none and empty are
// the same and the empty one is left out.
func (w *writer) closeUnlessEmpty(at int) {
	if len(w.buf) == at {
		w.buf = w.buf[:at-2]
		return
	}
	w.close(at)
}
