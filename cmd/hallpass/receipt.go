package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api/client"
	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/projections"
)

// waiting is the flags of a change that may wait for all nodes.
type waiting struct {
	wait    waitFor
	receipt string
	ends    bool // it waits for all nodes unless told otherwise
}

// waitFor is the value of --wait.
type waitFor string

func (w *waitFor) String() string { return string(*w) }
func (w *waitFor) Type() string   { return "all|commit" }
func (w *waitFor) Set(s string) error {
	if s != "all" && s != "commit" {
		return fmt.Errorf("it is all or commit")
	}
	*w = waitFor(s)
	return nil
}

func (o *waiting) flags(c *cobra.Command) {
	usual := "commit"
	if o.ends {
		usual = "all"
	}
	c.Flags().Var(&o.wait, "wait", "what to wait for: all, until no node can answer without the change any more, or commit, until it is committed (default "+usual+")")
	c.Flags().StringVar(&o.receipt, "receipt", "", "a file to write the signed receipt to, for 'hallpass receipt verify'; implies --wait all")
	_ = c.RegisterFlagCompletionFunc("wait", cobra.FixedCompletions([]string{"all", "commit"}, cobra.ShellCompDirectiveNoFileComp))
}

// on returns cl with what the flags say, or says what is wrong with them.
func (o *waiting) on(cl *client.Client, changes int) (*client.Client, error) {
	if o.receipt == "" {
		return cl.With(client.Options{Wait: string(o.wait)}), nil
	}
	switch {
	case o.wait == "commit":
		return nil, usagef("--receipt goes with --wait all: a receipt says that all nodes have the change")
	case changes > 1:
		return nil, usagef("--receipt takes one change at a time: each has its own receipt")
	}
	return cl.With(client.Options{Wait: "all"}), nil
}

// keep writes the receipt to its file, if there is one to write.
func (o *waiting) keep(r *wire.Receipt) error {
	if o.receipt == "" {
		return nil
	}
	if r == nil {
		return fmt.Errorf("the change is made, but the server gave no receipt: it is older than this program")
	}
	if err := os.WriteFile(o.receipt, []byte(r.Note), 0o600); err != nil {
		return fmt.Errorf("the change is made, but its receipt can't be kept: %w", err)
	}
	return nil
}

// receiptLine says what a receipt says; "" for none. did is what every node
// does now.
func receiptLine(did string, r *wire.Receipt) string {
	if r == nil {
		return ""
	}
	var acknowledged, left int
	var ran []string
	for _, n := range r.Nodes {
		switch n.How {
		case projections.RanOut.String():
			ran = append(ran, n.Name)
		case projections.Left.String():
			left++
		default:
			acknowledged++
		}
	}
	parts := []string{plural(acknowledged, "node") + " acknowledged"}
	if len(ran) > 0 {
		slices.Sort(ran)
		parts = append(parts, "the lease of "+strings.Join(ran, ", ")+" ran out")
	}
	if left > 0 {
		parts = append(parts, fmt.Sprintf("%d left", left))
	}
	return fmt.Sprintf("%s everywhere: %s, in %s", did, strings.Join(parts, ", "), milliseconds(r.TookMS))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// milliseconds is for people: below 10 ms with one digit behind the point.
func milliseconds(ms float64) string {
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func newReceipt() *cobra.Command {
	c := &cobra.Command{Use: "receipt", Short: "Verify receipts, without a server"}
	c.AddCommand(newReceiptVerify())
	return c
}

func newReceiptVerify() *cobra.Command {
	var keys string
	var out output
	c := &cobra.Command{
		Use: "verify FILE", Short: "Verify a receipt that a change gave with --receipt", Args: cobra.ExactArgs(1),
		Long: `Verifies the signatures in a receipt: that of the node which wrote it, and those of
the nodes which acknowledged. No server is asked. FILE - is stdin.

Whose the keys are, the receipt alone can't say: give what 'hallpass node list -o
json' wrote at the time with --keys, where the key of the node that signed must be.
Without it the receipt is only shown to be of one piece.`,
		Example: `  hallpass node list -o json > keys.json
  hallpass token revoke thermo-reader --receipt thermo.receipt
  hallpass receipt verify thermo.receipt --keys keys.json`,
		RunE: func(c *cobra.Command, args []string) error {
			signed, err := readNote(c, args[0])
			if err != nil {
				return err
			}
			known, err := readKeys(keys)
			if err != nil {
				return err
			}
			r, err := projections.VerifyReceipt(signed, func(i domain.Incarnation) (ed25519.PublicKey, bool) {
				key, ok := known[i]
				return key, ok
			})
			if err != nil {
				return fmt.Errorf("the receipt %s does not hold: %w", args[0], err)
			}
			if _, ok := known[r.By]; keys != "" && !ok {
				return fmt.Errorf("the receipt %s is signed by a node whose key %s does not hold: nothing says that it is one of those nodes", args[0], keys)
			}
			v := verifiedOf(r, known)
			return out.print(c.OutOrStdout(), v, v.table)
		},
	}
	c.Flags().StringVar(&keys, "keys", "", "a file with what 'hallpass node list -o json' wrote")
	out.flags(c)
	return c
}

func readNote(c *cobra.Command, path string) (string, error) {
	if path == "-" {
		var b bytes.Buffer
		_, err := b.ReadFrom(c.InOrStdin())
		return b.String(), err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the receipt can't be read: %w", err)
	}
	return string(data), nil
}

// readKeys reads the keys of incarnations; none without a path.
func readKeys(path string) (map[domain.Incarnation]ed25519.PublicKey, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the keys can't be read: %w", err)
	}
	var list wire.List[wire.Node]
	wrong := fmt.Errorf("%s does not hold what 'hallpass node list -o json' writes", path)
	if err := json.Unmarshal(data, &list); err != nil || len(list.Items) == 0 {
		return nil, wrong
	}
	keys := map[domain.Incarnation]ed25519.PublicKey{}
	for _, n := range list.Items {
		i, err := domain.ParseIncarnation(n.Incarnation)
		if err != nil {
			return nil, wrong
		}
		key, err := base64.StdEncoding.DecodeString(n.Key)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, wrong
		}
		keys[i] = key
	}
	return keys, nil
}

// verified is what "receipt verify" says.
type verified struct {
	Stream   string         `json:"stream"`
	Revision uint64         `json:"revision"`
	Event    string         `json:"event"`
	Size     uint64         `json:"size"`
	Root     string         `json:"root"`
	TookMS   float64        `json:"took_ms"`
	By       string         `json:"by"`
	Nodes    []verifiedNode `json:"nodes"`
	Accepted []uint64       `json:"accepted"`
}

type verifiedNode struct {
	Name        string  `json:"name"`
	Incarnation string  `json:"incarnation"`
	How         string  `json:"how"`
	LeaseMS     float64 `json:"lease_ms"`
	AfterMS     float64 `json:"after_ms"`
	KeyKnown    bool    `json:"key_known"` // from --keys; else the receipt's own word
}

func verifiedOf(r *projections.Receipt, known map[domain.Incarnation]ed25519.PublicKey) verified {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	v := verified{
		Stream: fmt.Sprintf("%x", r.Stream), Revision: uint64(r.Revision), Event: r.Event.String(), Size: r.Size,
		Root: fmt.Sprintf("%x", r.Root), TookMS: ms(r.Took), By: r.By.String(), Accepted: []uint64{},
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		_, ok := known[n.Incarnation]
		v.Nodes = append(v.Nodes, verifiedNode{
			Name: string(n.Name), Incarnation: n.Incarnation.String(), How: n.How.String(),
			LeaseMS: ms(n.Lease), AfterMS: ms(n.After), KeyKnown: ok,
		})
		if n.Incarnation == r.By {
			v.By = string(n.Name)
		}
	}
	for _, seq := range r.Accepted {
		v.Accepted = append(v.Accepted, uint64(seq))
	}
	return v
}

// table tells what was verified, and what that rests on.
func (v verified) table(t *table) {
	t.row("verified:", fmt.Sprintf("no node could answer without revision %d any more, %s after node %s had applied it",
		v.Revision, milliseconds(v.TookMS), v.By))
	t.row("event", v.Event)
	t.row("stream", v.Stream)
	t.row("tree", fmt.Sprintf("%d facts, root %s", v.Size, v.Root))
	unknown := []string{}
	for _, n := range v.Nodes {
		key := "key as in --keys"
		if !n.KeyKnown {
			key = "key by the receipt's own word"
			unknown = append(unknown, n.Name)
		}
		what := n.How + " after " + milliseconds(n.AfterMS)
		switch n.How {
		case projections.RanOut.String():
			what = "its lease ran out, by the word of node " + v.By
		case projections.Left.String():
			what = "it left, by the word of node " + v.By
		}
		t.row("node "+n.Name, what+"; "+key)
	}
	for _, seq := range v.Accepted {
		t.row("passed over", fmt.Sprintf("record %d, which can't be read, as the operator of node %s decided", seq, v.By))
	}
	rests := "it rests on the honesty of node " + v.By + ", which counted who had to answer, and of the nodes that acknowledged"
	if len(unknown) > 0 {
		rests += "; and nothing here says that the keys of " + strings.Join(unknown, ", ") + " are theirs"
	}
	t.row("rests on:", rests)
}
