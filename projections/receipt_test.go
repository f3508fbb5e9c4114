package projections

import (
	"bytes"
	"crypto/ed25519"
	"reflect"
	"strings"
	"testing"
	"time"

	"hallpass/domain"
)

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func testMember(n byte, name domain.NodeName) Member {
	return Member{Name: name, Incarnation: domain.Incarnation{n, 15: n}, Key: testKey(n).Public().(ed25519.PublicKey), Joined: Seq(n)}
}

// testReceipt is one with every way of not answering any more, signed by n1.
func testReceipt(t testing.TB) *Receipt {
	t.Helper()
	r := &Receipt{
		Stream: [16]byte{1, 2}, Revision: 40, Through: 41, Event: domain.NewEventID(1_790_000_000_000, [10]byte{3}),
		Size: 17, Root: Hash{9, 8}, Took: 1234 * time.Microsecond, By: testMember(1, "n1").Incarnation, Accepted: []Seq{5, 6},
	}
	add := func(n byte, name domain.NodeName, how How) {
		a := Acknowledgement{Member: testMember(n, name), How: how, Lease: 12 * time.Second, After: time.Duration(n) * time.Millisecond}
		if how == Acknowledged {
			is := ack{Stream: r.Stream, Seq: r.Through, Event: r.Event.String(), Size: r.Size, Root: r.Root, Of: idOf(a.Incarnation)}
			is.sign(testKey(n))
			a.Signature = is.Signature
		}
		r.Nodes = append(r.Nodes, a)
	}
	add(1, "n1", Acknowledged)
	add(2, "n2", Acknowledged)
	add(3, "n3", RanOut)
	add(4, "n4", Left)
	r.Nodes = append(r.Nodes, Acknowledgement{Member: Member{Incarnation: domain.Incarnation{5}}, How: RanOut})
	if err := r.seal("n1", testKey(1)); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAReceiptComesBackAsItWas(t *testing.T) {
	want := testReceipt(t)
	got, err := VerifyReceipt(want.Note, nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("error %v\n got %+v\nwant %+v", err, got, want)
	}
}

// Whatever byte of a receipt is another, whatever line is missing or comes
// twice, it is refused.
func TestAnAlteredReceiptIsRefused(t *testing.T) {
	signed := testReceipt(t).Note
	for i := range signed {
		for _, other := range []byte{signed[i] ^ 1, signed[i] ^ 0x20, '0', '\n'} {
			altered := signed[:i] + string(rune(other)) + signed[i+1:]
			if other >= 0x80 || altered == signed {
				continue
			}
			if _, err := VerifyReceipt(altered, nil); err == nil {
				t.Fatalf("with %q for %q at %d:\n%s", other, signed[i], i, altered)
			}
		}
		for _, altered := range []string{signed[:i], signed[:i] + signed[i+1:]} {
			if _, err := VerifyReceipt(altered, nil); err == nil {
				t.Fatalf("with byte %d missing, or all from there on:\n%s", i, altered)
			}
		}
	}
	lines := strings.SplitAfter(signed, "\n")
	for i := range lines[:len(lines)-1] {
		for name, with := range map[string]string{"missing": "", "twice": lines[i] + lines[i]} {
			if name == "twice" && strings.HasPrefix(lines[i], "—") {
				continue // the same signature again says the same
			}
			altered := strings.Join(lines[:i], "") + with + strings.Join(lines[i+1:], "")
			if _, err := VerifyReceipt(altered, nil); err == nil {
				t.Errorf("with line %d %s:\n%s", i+1, name, altered)
			}
		}
		for k := range i {
			if lines[i] == lines[k] {
				continue
			}
			swapped := append([]string(nil), lines...)
			swapped[i], swapped[k] = swapped[k], swapped[i]
			if _, err := VerifyReceipt(strings.Join(swapped, ""), nil); err == nil {
				t.Errorf("with lines %d and %d for each other", k+1, i+1)
			}
		}
	}
}

// A receipt that someone else signed whole is of one piece; what is known of
// the nodes' keys tells that it isn't theirs.
func TestAReceiptIsComparedWithTheKeysThatAreKnown(t *testing.T) {
	r := testReceipt(t)
	right := func(i domain.Incarnation) (ed25519.PublicKey, bool) {
		if i[0] > 4 {
			return nil, false
		}
		return testKey(i[0]).Public().(ed25519.PublicKey), true
	}
	if _, err := VerifyReceipt(r.Note, right); err != nil {
		t.Error(err)
	}
	for n := byte(1); n <= 4; n++ {
		_, err := VerifyReceipt(r.Note, func(i domain.Incarnation) (ed25519.PublicKey, bool) {
			if i[0] == n {
				return testKey(9).Public().(ed25519.PublicKey), true
			}
			return right(i)
		})
		if err == nil || !strings.Contains(err.Error(), "not the one that is known") {
			t.Errorf("node %d has another key: %v", n, err)
		}
	}
}

// What a coordinator signs is held to what the nodes signed.
func TestACoordinatorCannotAcknowledgeForOthers(t *testing.T) {
	for name, forge := range map[string]func(*Receipt){
		"an acknowledgement that was none":      func(r *Receipt) { r.Nodes[2].How = Acknowledged },
		"another node's signature":              func(r *Receipt) { r.Nodes[1].Signature = r.Nodes[0].Signature },
		"a later revision":                      func(r *Receipt) { r.Through++ },
		"another history":                       func(r *Receipt) { r.Root[0]++ },
		"another size":                          func(r *Receipt) { r.Size++ },
		"another event":                         func(r *Receipt) { r.Event[0]++ },
		"another stream":                        func(r *Receipt) { r.Stream[0]++ },
		"another epoch":                         func(r *Receipt) { r.Epoch++ },
		"another incarnation":                   func(r *Receipt) { r.Nodes[1].Incarnation[0] = 7 },
		"a coordinator that isn't among them":   func(r *Receipt) { r.By[0] = 7 },
		"a coordinator without a key":           func(r *Receipt) { r.Nodes[0].Key = nil },
		"an acknowledgement without a key":      func(r *Receipt) { r.Nodes[1].Key = nil },
		"no way of having ended":                func(r *Receipt) { r.Nodes[2].How = 0 },
		"a revision after what was fenced":      func(r *Receipt) { r.Revision = r.Through + 1 },
		"a name with a space in it":             func(r *Receipt) { r.Nodes[2].Name = "n 3" },
		"a node that stands in it twice":        func(r *Receipt) { r.Nodes = append(r.Nodes, r.Nodes[1]) },
		"a coordinator that has itself run out": func(r *Receipt) { r.Nodes[0].How = RanOut },
	} {
		r := testReceipt(t)
		forge(r)
		if err := r.seal("n1", testKey(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyReceipt(r.Note, nil); err == nil {
			t.Errorf("with %s it is taken:\n%s", name, r.Note)
		}
	}
}

func TestWhatIsNoReceiptIsRefusedWithASentence(t *testing.T) {
	for _, text := range []string{"", "\n", "\n\n", "hello\n\n— n1 AAAA\n", "hallpass receipt 1\n\n", "hallpass receipt 2\n\n— n1 AAAA\n"} {
		if _, err := VerifyReceipt(text, nil); err == nil || len(err.Error()) < 20 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzReceipt(f *testing.F) {
	f.Add(testReceipt(f).Note)
	f.Add("hallpass receipt 1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		body, _, _ := strings.Cut(text, "\n\n")
		r, err := parseReceipt(body + "\n")
		if err == nil && r.text() != body+"\n" {
			t.Errorf("it comes out as\n%s", r.text())
		}
		_, _ = VerifyReceipt(text, nil)
	})
}
