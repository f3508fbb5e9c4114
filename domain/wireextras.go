package domain

import "net/netip"

func (r *reader) digest(n byte) (d Digest) {
	copy(d[:], r.fixed(n, len(d)))
	return d
}

func (w *writer) sealed(n byte, s *Sealed) {
	at := w.open(n)
	w.str(1, string(s.Key))
	w.bytes(2, s.Box)
	w.close(at)
}

// sealed takes a secret under a key; nil says that there is none.
func (r *reader) sealed(n byte) *Sealed {
	if !r.has(n, wireBytes) {
		return nil
	}
	o := r.enter(n, "Sealed")
	s := &Sealed{Key: KeyID(r.id(1)), Box: []byte(r.raw(2))}
	if len(s.Box) == 0 {
		r.missing(2)
	}
	if len(s.Box) > MaxSealed {
		r.fail(2, "is too long")
	}
	r.leave(o, 2)
	return s
}

func (w *writer) once(n byte, o *Once) {
	if o != nil {
		at := w.open(n)
		w.bytes(1, o.Key[:])
		w.bytes(2, o.Request[:])
		w.close(at)
	}
}

func (r *reader) once(n byte) *Once {
	if !r.has(n, wireBytes) {
		return nil
	}
	out := r.enter(n, "Once")
	var o Once
	copy(o.Key[:], r.fixed(1, len(o.Key)))
	copy(o.Request[:], r.fixed(2, len(o.Request)))
	r.leave(out, 2)
	return &o
}

func (w *writer) conditions(n byte, c *Conditions) {
	at := w.open(n)
	w.prefixes(1, c.Allow)
	w.prefixes(2, c.Deny)
	if v := c.Window; v != nil {
		in := w.open(3)
		w.num(1, uint64(v.From))
		w.num(2, uint64(v.To))
		w.str(3, v.Zone)
		w.close(in)
	}
	w.close(at)
}

// conditions takes conditions, which may be empty; nil says that there are none.
// A zone that this machine doesn't know is read all the same: its window is
// never open here.
func (r *reader) conditions(n byte) *Conditions {
	if !r.has(n, wireBytes) {
		return nil
	}
	o := r.enter(n, "Conditions")
	c := &Conditions{Allow: r.prefixes(1), Deny: r.prefixes(2)}
	if r.has(3, wireBytes) {
		in := r.enter(3, "Window")
		from, to, zone := r.num(1), r.num(2), r.str(3)
		if from >= minutesADay || to >= minutesADay || from == to {
			r.fail(1, "and field 2 are no part of a day")
		}
		if zone == "" || len(zone) > MaxZone {
			r.fail(3, "is no time zone")
		}
		r.leave(in, 3)
		if r.why == "" {
			w := NewWindow(uint16(from), uint16(to), zone)
			c.Window = &w
		}
	}
	r.leave(o, 3)
	return c
}

// prefixes writes each as its address, 4 or 16 bytes, and one byte that says
// how many bits of it count.
func (w *writer) prefixes(n byte, list []netip.Prefix) {
	for _, p := range list {
		w.bytes(n, append(p.Addr().AsSlice(), byte(p.Bits())))
	}
}

// prefixes wants them in ascending order, each once, with nothing but zeros
// after the bits that count, and mapped addresses of IPv4 as such.
func (r *reader) prefixes(n byte) []netip.Prefix {
	k := r.count(n)
	if k == 0 {
		return nil
	}
	list := make([]netip.Prefix, 0, k)
	for range k {
		s := r.raw(n)
		if len(s) != 5 && len(s) != 17 {
			r.fail(n, "is no prefix of addresses")
			return nil
		}
		a, _ := netip.AddrFromSlice([]byte(s[:len(s)-1]))
		p := netip.PrefixFrom(a, int(s[len(s)-1]))
		if plain, ok := plainPrefix(p); !ok || plain != p || len(list) > 0 && comparePrefixes(list[len(list)-1], p) >= 0 {
			r.fail(n, "holds prefixes that are out of order, repeated or not in their plain form")
			return nil
		}
		list = append(list, p)
	}
	return list
}
