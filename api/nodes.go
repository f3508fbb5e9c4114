package api

import (
	"encoding/base64"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/projections"
)

// listNodes answers GET /v1/nodes: who takes part in the stream, as this node
// sees it. The keys verify receipts.
func (c *call) listNodes() (reply, error) {
	if err := c.may(domain.RootAccount, domain.AuditNeed("ReadAudit")); err != nil {
		return reply{}, err
	}
	at := c.h.svc.Revision()
	list := wire.List[wire.Node]{Items: []wire.Node{}}
	for _, m := range c.h.svc.proj.Members() {
		list.Items = append(list.Items, wireNode(m))
	}
	return reply{body: list, revision: at}, nil
}

func wireNode(m projections.MemberStatus) wire.Node {
	return wire.Node{
		Name: string(m.Name), Incarnation: m.Incarnation.String(), Key: base64.StdEncoding.EncodeToString(m.Key),
		Joined: uint64(m.Joined), Reads: m.Reads, LeaseMS: millis(m.Lease), LeaseLeftMS: millis(m.LeaseLeft),
		Replica: m.Replica, Size: m.Size, Differs: m.Differs,
	}
}

// wireReceipt is r as answered; nil for none.
func wireReceipt(r *projections.Receipt) *wire.Receipt {
	if r == nil {
		return nil
	}
	out := &wire.Receipt{Revision: uint64(r.Revision), Nodes: []wire.ReceiptNode{}, TookMS: millis(r.Took), Note: r.Note}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		out.Nodes = append(out.Nodes, wire.ReceiptNode{
			Name: string(n.Name), Incarnation: n.Incarnation.String(), How: n.How.String(),
			AfterMS: millis(n.After), LeaseMS: millis(n.Lease),
		})
	}
	return out
}

// millis is d in milliseconds, to the microsecond.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
