package projections

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"hallpass/domain"
)

// Receipt says that from some moment on no node could still answer without
// having applied a revision, and on what grounds. Note is the same in the form
// that its coordinator signed.
type Receipt struct {
	Stream   [16]byte
	Epoch    uint64
	Revision Seq            // that was fenced
	Through  Seq            // the fact that was acknowledged: Revision, or a later one if that is long past
	Event    domain.EventID // of the fact at Through
	Size     uint64         // of the tree just behind Through
	Root     Hash
	Took     time.Duration // from when the coordinator had applied Revision
	By       domain.Incarnation
	Nodes    []Acknowledgement
	Accepted []Seq // records that can't be read, and that the coordinator's operator had it pass over
	Note     string
}

// How is why a node can't answer without the revision any more.
type How uint8

// The ways.
const (
	Acknowledged How = iota + 1 // it said, signed, that it has applied it
	RanOut                      // every lease that it had before the revision is over
	Left                        // it said that it answers no more
)

func (h How) String() string { return [...]string{"", "acknowledged", "ran_out", "left"}[h] }

// Acknowledgement is one node's part of a receipt.
type Acknowledgement struct {
	Member    // without a key where the node never said which it has
	How       How
	Lease     time.Duration // the length of its newest lease, time to serve stale included
	After     time.Duration // since the coordinator had applied the revision
	Signature []byte        // of the acknowledgement
}

// text is what the coordinator signs.
func (r *Receipt) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "hallpass receipt 1\nstream %x\nepoch %d\nrevision %d\nthrough %d\nevent %s\ntree %d %x\ntook_us %d\nby %s\n",
		r.Stream, r.Epoch, r.Revision, r.Through, r.Event, r.Size, r.Root, r.Took.Microseconds(), r.By)
	for _, seq := range r.Accepted {
		fmt.Fprintf(&b, "accepted %d\n", seq)
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		fmt.Fprintf(&b, "node %s %s %s joined %d lease_ms %d %s after_us %d %s\n", orDash(string(n.Name)), n.Incarnation,
			orDash(base64.StdEncoding.EncodeToString(n.Key)), n.Joined, n.Lease.Milliseconds(), n.How, n.After.Microseconds(),
			orDash(base64.StdEncoding.EncodeToString(n.Signature)))
	}
	return b.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// seal signs the receipt as the member whose key it is.
func (r *Receipt) seal(name domain.NodeName, key ed25519.PrivateKey) error {
	v, err := verifierOf(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: r.text()}, signer{v, key})
	r.Note = string(signed)
	return err
}

// signer is a note.Signer over a node's key.
type signer struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (s signer) Sign(text []byte) ([]byte, error) { return ed25519.Sign(s.key, text), nil }

func verifierOf(name domain.NodeName, key ed25519.PublicKey) (note.Verifier, error) {
	text, err := note.NewEd25519VerifierKey(string(name), key)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(text)
}

// VerifyReceipt reads the signed form of a receipt and verifies the signature
// of the coordinator and that of every acknowledgement. known returns the key
// of an incarnation as a source that the caller trusts has it; where it
// returns false, or is nil, the key in the receipt itself is used, which then
// proves only that the receipt is of one piece. Errors say what is wrong.
func VerifyReceipt(signed string, known func(domain.Incarnation) (ed25519.PublicKey, bool)) (*Receipt, error) {
	text, _, ok := strings.Cut(signed, "\n\n")
	if !ok {
		return nil, errors.New("this is no signed receipt: there are no signatures below an empty line")
	}
	r, err := parseReceipt(text + "\n")
	if err != nil {
		return nil, err
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if known == nil {
			continue
		}
		if key, ok := known(n.Incarnation); ok && n.Key != nil && !bytes.Equal(key, n.Key) {
			return nil, fmt.Errorf("the key of node %s (%s) is not the one that is known for it", n.Name, n.Incarnation)
		}
	}
	if err := r.coherent(); err != nil {
		return nil, err
	}
	by := r.node(r.By)
	if by == nil || len(by.Key) != ed25519.PublicKeySize {
		return nil, errors.New("the receipt doesn't say which key its coordinator has")
	}
	v, err := verifierOf(by.Name, by.Key)
	if err != nil {
		return nil, fmt.Errorf("the coordinator's key can't be used: %w", err)
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(v))
	if err == nil { // note takes more than one spelling of a signature
		_, err = base64.StdEncoding.Strict().DecodeString(opened.Sigs[0].Base64)
	}
	if err != nil {
		return nil, fmt.Errorf("the signature is not that of the coordinator, node %s: the receipt was altered: %w", by.Name, err)
	}
	for i := range r.Nodes {
		if n := &r.Nodes[i]; n.How == Acknowledged && !r.acknowledgedBy(n) {
			return nil, fmt.Errorf("the acknowledgement of node %s (%s) is not signed by its key", n.Name, n.Incarnation)
		}
	}
	r.Note = signed
	return r, nil
}

// coherent refuses what no coordinator says, whoever signed it.
func (r *Receipt) coherent() error {
	if r.Through < r.Revision {
		return fmt.Errorf("what was acknowledged is revision %d, which says nothing about revision %d", r.Through, r.Revision)
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		switch {
		case r.node(n.Incarnation) != n:
			return fmt.Errorf("node %s (%s) stands in the receipt twice", n.Name, n.Incarnation)
		case n.How == 0:
			return fmt.Errorf("the receipt doesn't say why node %s (%s) can't answer", n.Name, n.Incarnation)
		case n.Incarnation == r.By && n.How != Acknowledged:
			return fmt.Errorf("the coordinator, node %s, has not acknowledged the revision itself", n.Name)
		}
	}
	return nil
}

func (r *Receipt) node(i domain.Incarnation) *Acknowledgement {
	for k := range r.Nodes {
		if r.Nodes[k].Incarnation == i {
			return &r.Nodes[k]
		}
	}
	return nil
}

func (r *Receipt) acknowledgedBy(n *Acknowledgement) bool {
	a := ack{
		Stream: r.Stream, Epoch: r.Epoch, Seq: r.Through, Event: r.Event.String(), Size: r.Size, Root: r.Root,
		Of: idOf(n.Incarnation), Signature: n.Signature,
	}
	return len(n.Key) == ed25519.PublicKeySize && a.verify(n.Key)
}

// parseReceipt reads what text wrote, and nothing else: it must come out the
// same.
func parseReceipt(text string) (*Receipt, error) {
	r := &Receipt{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		if err := r.line(lines.Text()); err != nil {
			return nil, fmt.Errorf("line %d of the receipt can't be read: %w", n, err)
		}
	}
	if r.text() != text {
		return nil, errors.New("this is no receipt of a form that this version knows")
	}
	return r, nil
}

func (r *Receipt) line(line string) error {
	f := strings.Split(line, " ")
	p := fields{f: f}
	switch f[0] {
	case "hallpass":
	case "stream":
		hexInto(&p, r.Stream[:], 1)
	case "epoch":
		r.Epoch = p.num(1)
	case "revision":
		r.Revision = Seq(p.num(1))
	case "through":
		r.Through = Seq(p.num(1))
	case "event":
		r.Event = p.event(1)
	case "tree":
		r.Size = p.num(1)
		hexInto(&p, r.Root[:], 2)
	case "took_us":
		r.Took = time.Duration(p.num(1)) * time.Microsecond
	case "by":
		hexInto(&p, r.By[:], 1)
	case "accepted":
		r.Accepted = append(r.Accepted, Seq(p.num(1)))
	case "node":
		r.Nodes = append(r.Nodes, p.node())
	default:
		return errors.New("it says something that this version doesn't know")
	}
	return p.err
}

// fields reads the words of a line; the first error stays.
type fields struct {
	f   []string
	err error
}

func (p *fields) at(i int) string {
	if i >= len(p.f) {
		p.err = errors.New("something is missing")
		return ""
	}
	return p.f[i]
}

func (p *fields) num(i int) uint64 {
	n, err := strconv.ParseUint(p.at(i), 10, 62)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("word %d is no number", i+1)
	}
	return n
}

func hexInto(p *fields, to []byte, i int) {
	b, err := hex.DecodeString(p.at(i))
	if (err != nil || len(b) != len(to)) && p.err == nil {
		p.err = fmt.Errorf("word %d is not %d hexadecimal digits", i+1, 2*len(to))
	}
	copy(to, b)
}

func (p *fields) event(i int) domain.EventID {
	var id domain.EventID
	if err := id.UnmarshalText([]byte(p.at(i))); err != nil && p.err == nil {
		p.err = fmt.Errorf("word %d is no event id", i+1)
	}
	return id
}

func (p *fields) blob(i int) []byte {
	s := p.at(i)
	if s == "-" {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("word %d is no base64", i+1)
	}
	return b
}

// node reads "node NAME INCARNATION KEY joined N lease_ms N HOW after_us N SIGNATURE".
func (p *fields) node() Acknowledgement {
	var a Acknowledgement
	if a.Name = domain.NodeName(p.at(1)); a.Name == "-" {
		a.Name = ""
	}
	hexInto(p, a.Incarnation[:], 2)
	a.Key = p.blob(3)
	a.Joined = Seq(p.num(5))
	a.Lease = time.Duration(p.num(7)) * time.Millisecond
	for h := Acknowledged; h <= Left; h++ {
		if h.String() == p.at(8) {
			a.How = h
		}
	}
	a.After = time.Duration(p.num(10)) * time.Microsecond
	a.Signature = p.blob(11)
	return a
}
