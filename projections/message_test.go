package projections

import (
	"strings"
	"testing"

	"hallpass/domain"
)

var testBarrier = barrier{
	Stream: hex16{1}, By: hex16{2}, Replica: "hp-1", Size: 3, Root: hex32{4},
	Proofs: []proof{{Of: hex16{5}, Nonce: hex16{6}, Lease: 12_000, Stale: 1000, Reads: 1}},
}

func TestABarrierIsReadStrictly(t *testing.T) {
	good := string(encode(&testBarrier))
	if b, err := decodeBarrier([]byte(good)); err != nil || b.Proofs[0] != testBarrier.Proofs[0] || b.Root != testBarrier.Root {
		t.Fatalf("%+v, %v", b, err)
	}
	for name, change := range map[string][2]string{
		"a field that isn't known":       {`"epoch":0`, `"epoch":0,"only_if":1`},
		"one in a proof":                 {`"reads":1`, `"reads":1,"only_if":1`},
		"a nonce that is short":          {strings.Repeat("0", 30) + `","lease_ms"`, strings.Repeat("0", 28) + `","lease_ms"`},
		"a nonce that isn't hexadecimal": {`"nonce":"06`, `"nonce":"xx`},
		"one that overflows":             {`"lease_ms":12000`, `"lease_ms":9223372036854775808`},
		"one in parts of a millisecond":  {`"lease_ms":12000`, `"lease_ms":12000.5`},
		"a size below nothing":           {`"size":3`, `"size":-3`},
		"an end that is missing":         {`}]}`, `}]`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing is changed in %s", name, good)
		}
		if _, err := decodeBarrier([]byte(bad)); err == nil {
			t.Errorf("with %s it is taken: %s", name, bad)
		}
	}
	for _, bad := range []string{"", "null x", good + "{}", good + "x", "[]", `"` + good + `"`, "\xff"} {
		if _, err := decodeBarrier([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, change := range [][2]string{
		{`"lease_ms":12000`, `"lease_ms":-1`}, {`"lease_ms":12000`, `"lease_ms":3600001`},
		{`"stale_ms":1000`, `"stale_ms":3600001`}, {`"stale_ms":1000`, `"stale_ms":-1`},
	} {
		b, err := decodeBarrier([]byte(strings.Replace(good, change[0], change[1], 1)))
		if err != nil || b.Proofs[0].Lease != 0 || b.Proofs[0].Stale != 0 {
			t.Errorf("with %s it gives %+v, %v; want no lease", change[1], b, err)
		}
	}
	if _, err := decodeBarrier([]byte(good + " \n")); err != nil {
		t.Errorf("space behind it: %v", err)
	}
}

func FuzzBarrier(f *testing.F) {
	f.Add(encode(&testBarrier))
	f.Add([]byte(`{"stream":"","proofs":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decodeBarrier(data)
		if err != nil {
			return
		}
		again, err := decodeBarrier(encode(b))
		if err != nil || len(again.Proofs) != len(b.Proofs) || again.Root != b.Root || again.Stream != b.Stream || again.By != b.By {
			t.Errorf("%+v, %v; was %+v", again, err, b)
		}
		for i, p := range b.Proofs {
			if again.Proofs[i] != p || p.Lease.duration() < 0 || p.Lease.duration()+p.Stale.duration() > 2*longestLease {
				t.Errorf("proof %d is %+v, was %+v", i, again.Proofs[i], p)
			}
		}
	})
}

// An acknowledgement is of all that it says.
func TestAnAcknowledgementIsSignedWhole(t *testing.T) {
	is := ack{Stream: hex16{1}, Seq: 7, Event: domain.EventID{1}.String(), Size: 3, Root: hex32{2}, Of: hex16{3}}
	is.sign(testKey(1))
	if !is.verify(testMember(1, "n1").Key) || is.verify(testMember(2, "n2").Key) {
		t.Error("a signature is its signer's, and nobody else's")
	}
	for name, change := range map[string]func(*ack){
		"stream": func(a *ack) { a.Stream[0]++ }, "epoch": func(a *ack) { a.Epoch++ }, "revision": func(a *ack) { a.Seq++ },
		"event": func(a *ack) { a.Event = domain.EventID{2}.String() }, "size": func(a *ack) { a.Size++ },
		"root": func(a *ack) { a.Root[31]++ }, "incarnation": func(a *ack) { a.Of[15]++ }, "signature": func(a *ack) { a.Signature = a.Signature[:63] },
	} {
		other := is
		change(&other)
		if other.verify(testMember(1, "n1").Key) {
			t.Errorf("with another %s the signature is still right", name)
		}
	}
}
