package domain

import (
	"strconv"
	"unicode/utf8"
)

// reader takes protobuf fields off the front of a message. Asking for a
// message's fields by ascending number, each once, and then for its end is the
// whole check of order and repetition: what was not asked for when it came is
// still there at the end. Every method refuses what writer would not have
// written. After the first fault nothing is left to read, and methods return
// zero values.
type reader struct {
	data    string
	at, end int    // what is left of the message being read
	in      string // that message's name in event.proto
	why     string // the first fault; "" while there is none
}

// fail notes a fault of field n, unless there was one before.
func (r *reader) fail(n byte, what string) {
	if r.why == "" {
		r.why = r.in + " field " + strconv.Itoa(int(n)) + " " + what
	}
	r.at = r.end
}

func (r *reader) missing(n byte) {
	if r.at == r.end {
		r.fail(n, "is missing")
		return
	}
	key := int(r.data[r.at])
	r.fail(n, "is missing where there is field "+strconv.Itoa(key>>3)+" with wire type "+strconv.Itoa(key&7))
}

// has takes the key of field n, if that comes next.
func (r *reader) has(n, wire byte) bool {
	if r.at < r.end && r.data[r.at] == n<<3|wire {
		r.at++
		return true
	}
	return false
}

// close wants the message to be over; last is its highest field number.
func (r *reader) close(last byte) {
	if r.at != r.end {
		r.leftover(last)
	}
}

func (r *reader) leftover(last byte) {
	switch key := r.data[r.at]; {
	case key >= 0x80:
		r.fail(16, "or above is unknown")
	case key>>3 == 0 || key>>3 > last:
		r.fail(key>>3, "is unknown")
	default:
		r.fail(key>>3, "is repeated, out of order, or of the wrong wire type, "+strconv.Itoa(int(key&7)))
	}
}

// varint takes a number in its shortest form.
func (r *reader) varint(n byte) uint64 {
	if r.at < r.end && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1])
	}
	return r.longVarint(n)
}

func (r *reader) longVarint(n byte) (v uint64) {
	left := r.data[r.at:r.end]
	for i := range min(len(left), 10) {
		c := left[i]
		v |= uint64(c&0x7f) << (7 * i)
		switch {
		case c >= 0x80:
			continue
		case c == 0:
			r.fail(n, "has a number in more bytes than it needs")
			return 0
		case i == 9 && c > 1:
			r.fail(n, "has a number of more than 64 bits")
			return 0
		}
		r.at += i + 1
		return v
	}
	r.fail(n, "has a number without an end")
	return 0
}

// chunk takes a length and that many bytes.
func (r *reader) chunk(n byte) string {
	if at := r.at; at < r.end {
		if size := int(r.data[at]); size < 0x80 && size < r.end-at {
			r.at = at + 1 + size
			return r.data[at+1 : at+1+size]
		}
	}
	return r.longChunk(n)
}

func (r *reader) longChunk(n byte) string {
	size := r.varint(n)
	if size > uint64(r.end-r.at) {
		r.fail(n, "is cut short")
		return ""
	}
	r.at += int(size)
	return r.data[r.at-int(size) : r.at]
}

func (r *reader) num(n byte) uint64 {
	if !r.has(n, wireVarint) {
		return 0
	}
	v := r.varint(n)
	if v == 0 {
		r.fail(n, "is there although it is zero")
	}
	return v
}

func (r *reader) flag(n byte) bool {
	v := r.num(n)
	if v > 1 {
		r.fail(n, "is neither true nor false")
	}
	return v == 1
}

// enum takes a required value from 1 to last.
func (r *reader) enum(n byte, last uint64) uint8 {
	v := r.num(n)
	if v == 0 {
		r.missing(n)
	}
	if v > last {
		r.fail(n, "is a value that this version does not know")
		return 0
	}
	return uint8(v)
}

// raw takes bytes that are not empty; "" says that there are none.
func (r *reader) raw(n byte) string {
	if !r.has(n, wireBytes) {
		return ""
	}
	s := r.chunk(n)
	if s == "" {
		r.fail(n, "is there although it is empty")
	}
	return s
}

func (r *reader) str(n byte) string {
	s := r.raw(n)
	if !utf8.ValidString(s) {
		r.fail(n, "is not valid UTF-8")
	}
	return s
}

func (r *reader) text(n byte, s string) string {
	if !utf8.ValidString(s) {
		r.fail(n, "is not valid UTF-8")
	}
	return s
}

// optID takes an account or token id; "" says that there is none.
func (r *reader) optID(n byte) string {
	s := r.raw(n)
	if len(s) > 64 {
		r.fail(n, "is too long for an id")
	}
	for i := range len(s) {
		if !idBytes[s[i]] {
			r.fail(n, "holds bytes that no id has")
			break
		}
	}
	return s
}

// id is optID for a required one.
func (r *reader) id(n byte) string {
	s := r.optID(n)
	if s == "" {
		r.missing(n)
	}
	return s
}

// fixed takes required bytes of that size.
func (r *reader) fixed(n byte, size int) string {
	s := r.raw(n)
	if s == "" {
		r.missing(n)
	}
	if len(s) != size {
		r.fail(n, "does not have "+strconv.Itoa(size)+" bytes")
		return ""
	}
	return s
}

func (r *reader) optStr(n byte) *string {
	if !r.has(n, wireBytes) {
		return nil
	}
	s := r.text(n, r.chunk(n))
	return &s
}

func (r *reader) optFlag(n byte) *bool {
	if !r.has(n, wireVarint) {
		return nil
	}
	v := r.varint(n)
	if v > 1 {
		r.fail(n, "is neither true nor false")
	}
	b := v == 1
	return &b
}

func (r *reader) optInstant(n byte) *Instant {
	if !r.has(n, wireVarint) {
		return nil
	}
	i := Instant(r.varint(n))
	return &i
}

// count returns how many of the repeated field n come next, and takes none.
func (r *reader) count(n byte) (k int) {
	at := r.at
	for at+1 < r.end && r.data[at] == n<<3|wireBytes {
		at++
		if size := int(r.data[at]); size < 0x80 {
			at += 1 + size
		} else {
			ahead := reader{data: r.data, at: at, end: r.end}
			ahead.chunk(n)
			at = ahead.at
		}
		k++
	}
	return k
}

// outer is the message to return to after one that stands in a field of it.
type outer struct {
	end int
	in  string
}

// enter goes into the message in field n, whose key was taken; in is its name.
func (r *reader) enter(n byte, in string) outer {
	o := outer{r.end, r.in}
	size := len(r.chunk(n))
	r.at, r.end, r.in = r.at-size, r.at, in
	return o
}

// leave wants the message that enter went into to be over and returns to the
// outer one.
func (r *reader) leave(o outer, last byte) {
	r.close(last)
	if r.why == "" {
		r.end = o.end
	}
	r.in = o.in
}

// idBytes tells which bytes account and token ids are made of.
var idBytes = func() (is [256]bool) {
	for c := range is {
		is[c] = idByte(byte(c))
	}
	return is
}()
