package projections

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"hallpass/domain"
)

// epoch would tell apart records that took each other's place because they
// were acknowledged before they were synced. Every record is synced first, so
// there is one epoch.
const epoch = 0

// hex16 and hex32 are random ids, nonces and hashes: hexadecimal in JSON.
type (
	hex16 [16]byte
	hex32 [32]byte
)

func (h hex16) MarshalText() ([]byte, error)  { return hex.AppendEncode(nil, h[:]), nil }
func (h hex32) MarshalText() ([]byte, error)  { return hex.AppendEncode(nil, h[:]), nil }
func (h *hex16) UnmarshalText(b []byte) error { return unhex(h[:], b) }
func (h *hex32) UnmarshalText(b []byte) error { return unhex(h[:], b) }

func unhex(to, from []byte) error {
	if len(from) != 2*len(to) {
		return fmt.Errorf("has %d hexadecimal digits instead of %d", len(from), 2*len(to))
	}
	_, err := hex.Decode(to, from)
	return err
}

// barrier is what a record under hp.l. holds, as JSON: proof, for the nodes it
// names, that they had seen everything before it when it comes to them, and
// what its writer had folded. freshness rests on it being committed by the
// stream's quorum after the nodes had asked.
type barrier struct {
	Stream  hex16   `json:"stream"`
	Epoch   uint64  `json:"epoch"`
	By      hex16   `json:"by"` // the writer's incarnation
	Replica string  `json:"replica,omitempty"`
	Size    uint64  `json:"size"` // of the writer's tree; 0: it has none yet
	Root    hex32   `json:"root"`
	Proofs  []proof `json:"proofs"`
}

// proof is one node's request, as answered.
type proof struct {
	Of    hex16  `json:"of"` // the incarnation that asked
	Nonce hex16  `json:"nonce"`
	Lease millis `json:"lease_ms"` // 0: no lease is wanted, only the echo
	Stale millis `json:"stale_ms"` // how long past the lease it may serve stale
	Reads uint64 `json:"reads"`    // the schema level that it can read
}

// millis is a duration in whole milliseconds.
type millis int64

func (m millis) duration() time.Duration { return time.Duration(m) * time.Millisecond }

// maxProofs is how many requests one barrier answers: some 100 kB.
const maxProofs = 512

// longestLease is the longest that any setting may permit.
const longestLease = time.Hour

func decodeBarrier(data []byte) (*barrier, error) {
	var b barrier
	if err := strictly(data, &b); err != nil {
		return nil, fmt.Errorf("it is no barrier that this version can read: %w", err)
	}
	for i := range b.Proofs {
		if p := &b.Proofs[i]; !p.may(longestLease) { // nobody asked for it, and nobody takes it
			p.Lease, p.Stale = 0, 0
		}
	}
	return &b, nil
}

// strictly decodes JSON without fields that this version doesn't know: they
// could restrict.
func strictly(data []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

// encode is JSON of one of the messages here, which can't fail.
func encode(message any) []byte {
	b, err := json.Marshal(message)
	if err != nil {
		panic("projections: encoding a message: " + err.Error())
	}
	return b
}

// The topics that nodes talk on.
const (
	topicAsk    = "ask"     // ask: to one of those that write barriers
	topicAskAll = "ask.all" // ask: to all of them
	topicFence  = "fence"   // fenceCall: to every node
	topicAck    = "ack."    // ack: to the coordinator whose incarnation follows
	topicFacts  = "facts"   // factsCall: to every node that writes barriers
	topicTold   = "told."   // factsTold: to the node that asked, whose incarnation follows
	serversAre  = "servers"
)

// ask is a freshness request of a node that writes no barriers itself.
type ask struct {
	Stream hex16  `json:"stream"`
	Proof  proof  `json:"proof"`
	Within millis `json:"within_ms"` // how long the barrier that answers may wait for other requests

	// Signature is by the incarnation's key, so that nobody asks in its name. A
	// request for an echo alone needs none: nobody knows the key yet.
	Signature []byte `json:"signature"`
}

func (a *ask) signed() []byte {
	return fmt.Appendf(nil, "hallpass freshness request 1\nstream %x\nof %x\nnonce %x\nlease_ms %d\nstale_ms %d\nreads %d\n",
		a.Stream, a.Proof.Of, a.Proof.Nonce, a.Proof.Lease, a.Proof.Stale, a.Proof.Reads)
}

func (a *ask) sign(key ed25519.PrivateKey) { a.Signature = ed25519.Sign(key, a.signed()) }

// may tells whether a lease of that length can be given at all.
func (p *proof) may(longest time.Duration) bool {
	return p.Lease >= 0 && p.Stale >= 0 && p.Lease <= millis(longest/time.Millisecond) &&
		p.Stale <= millis(longest/time.Millisecond)-p.Lease
}

// fenceCall asks every node to acknowledge that it has applied a fact.
type fenceCall struct {
	Stream hex16  `json:"stream"`
	Epoch  uint64 `json:"epoch"`
	Seq    Seq    `json:"seq"`
	From   hex16  `json:"from"` // the coordinator's incarnation
	Of     string `json:"of"`   // the incarnations that are waited for, with spaces; "": all that there are
}

// ack says that an incarnation has applied a fact, and everything before it.
type ack struct {
	Stream    hex16  `json:"stream"`
	Epoch     uint64 `json:"epoch"`
	Seq       Seq    `json:"seq"`
	Event     string `json:"event"` // its ULID
	Size      uint64 `json:"size"`  // of the tree just behind it
	Root      hex32  `json:"root"`
	Of        hex16  `json:"of"`
	Signature []byte `json:"signature"`
}

// signed is the text that an acknowledgement's signature is over.
func (a *ack) signed() []byte {
	return fmt.Appendf(nil, "hallpass acknowledgement 1\nstream %x\nepoch %d\nrevision %d\nevent %s\ntree %d %x\nincarnation %x\n",
		a.Stream, a.Epoch, a.Seq, a.Event, a.Size, a.Root, a.Of)
}

func (a *ack) sign(key ed25519.PrivateKey) { a.Signature = ed25519.Sign(key, a.signed()) }

func (a *ack) verify(key ed25519.PublicKey) bool {
	return ed25519.Verify(key, a.signed(), a.Signature)
}

// factsCall asks which facts follow the revision, in another node's reading.
type factsCall struct {
	Stream hex16 `json:"stream"`
	After  Seq   `json:"after"`
	From   hex16 `json:"from"`
}

// factsTold answers with the first of them, in order.
type factsTold struct {
	Stream hex16     `json:"stream"`
	After  Seq       `json:"after"`
	Facts  []factsAt `json:"facts"`
}

type factsAt struct {
	Seq  Seq   `json:"seq"`
	Hash hex32 `json:"hash"` // as a leaf of the tree
}

func (c *fenceCall) of(stream [16]byte) bool { return c.Stream == stream && c.Epoch == epoch }

// incarnation names.
func idOf(i domain.Incarnation) hex16           { return hex16(i) }
func (h hex16) incarnation() domain.Incarnation { return domain.Incarnation(h) }
