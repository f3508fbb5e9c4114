package domain

import (
	"strings"
)

// MaxEventSize bounds an encoded fact, in bytes.
const MaxEventSize = 60 << 10

// UnreadableError says what keeps a record from being read. It names types and
// fields, never their values.
type UnreadableError struct{ What string }

func (e *UnreadableError) Error() string { return "unreadable event: " + e.What }

// Encode returns f in the layout of event.proto, in the one form that Decode
// accepts. It writes what it is given: whether that is within bounds is for
// Decide, and Decode refuses ids, kinds, modes and reason codes that aren't
// any. It panics when f has no event.
func Encode(f *Fact) []byte {
	w := writer{make([]byte, 0, 512)}
	w.str(1, f.Event.Type())
	w.bytes(2, f.ID[:])
	w.num(3, uint64(f.Time))
	if !f.Actor.IsOperator() {
		at := w.open(4)
		w.str(1, string(f.Actor.Account))
		w.str(2, string(f.Actor.Token))
		w.num(3, f.Actor.Generation)
		w.close(at)
	}
	w.num(5, uint64(f.Authorised))
	w.str(6, f.Request)
	w.str(7, string(f.Account))
	w.str(8, string(f.Token))
	at := w.open(9)
	w.event(f.Event)
	w.closeUnlessEmpty(at)
	return w.buf
}

// Decode reads what Encode wrote. It refuses unknown types, unknown fields,
// and whatever Encode would not have written: what it can't read may restrict.
// Its errors are *UnreadableError. It checks form; whether the fact is
// possible where it stands is for Evolve.
//
// The strings of the fact are parts of one copy of data: whoever keeps one
// keeps that copy, and data may be used again.
func Decode(data []byte) (*Fact, error) { return DecodeText(string(data)) }

// DecodeText is Decode of data that is a string already, of which no copy is made.
func DecodeText(data string) (*Fact, error) {
	if len(data) > MaxEventSize {
		return nil, &UnreadableError{"it is longer than an event may be"}
	}
	r := reader{data: data, end: len(data), in: "Fact"}
	f := new(Fact)
	typ := r.str(1)
	copy(f.ID[:], r.fixed(2, len(f.ID)))
	f.Time = Instant(r.num(3))
	if r.has(4, wireBytes) {
		outer := r.enter(4, "Actor")
		f.Actor = Actor{AccountID(r.id(1)), TokenID(r.id(2)), r.num(3)}
		r.leave(outer, 3)
	}
	f.Authorised = Seq(r.num(5))
	f.Request = r.str(6)
	f.Account = AccountID(r.id(7))
	f.Token = TokenID(r.optID(8))
	body := r.raw(9)
	r.close(9)
	if r.why == "" {
		r.at -= len(body) // which was the last field
		f.Event = r.event(typ)
	}
	if r.why == "" && (f.Token != "") != strings.HasPrefix(typ, "token.") {
		r.why = "Fact field 8 names a token where there is none, or none where there is one"
	}
	if r.why == "" && f.Event.Type() != typ {
		r.why = "an older version of it could say the same"
	}
	if r.why == "" {
		r.why = f.misfiled()
	}
	if r.why != "" {
		return nil, &UnreadableError{printableType(typ) + ": " + r.why}
	}
	return f, nil
}

// printableType returns typ if it looks like one: what stands there in a
// broken record could be anything.
func printableType(typ string) string {
	odd := func(c rune) bool { return c != '.' && c != '_' && !('a' <= c && c <= 'z') && !('0' <= c && c <= '9') }
	if typ == "" || len(typ) > 64 || strings.ContainsFunc(typ, odd) {
		return "an event without a proper type"
	}
	return typ
}
