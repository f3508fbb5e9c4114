package wire

// Receipt says that from some moment on no node could still answer without
// having applied a revision, and on what grounds.
type Receipt struct {
	Revision uint64        `json:"revision" doc:"That every node has applied, or can't answer without."`
	Nodes    []ReceiptNode `json:"nodes"`
	TookMS   float64       `json:"took_ms" doc:"From when the answering node had applied it."`
	Note     string        `json:"note" doc:"The same in the form that the answering node signed, for 'hallpass receipt verify'."`
}

// ReceiptNode is one node's part in a receipt.
type ReceiptNode struct {
	Name        string  `json:"name"`
	Incarnation string  `json:"incarnation" doc:"One life of the node's process."`
	How         string  `json:"how" enum:"acknowledged,ran_out,left" doc:"acknowledged: it said, signed, that it has applied the revision. ran_out: its lease is over. left: it said that it answers no more."`
	AfterMS     float64 `json:"after_ms" doc:"When that was known, from when the answering node had applied the revision."`
	LeaseMS     float64 `json:"lease_ms" doc:"The length of its newest lease."`
}

// Node is a process that takes part in the stream, in the answer to GET
// /v1/nodes.
type Node struct {
	Name        string  `json:"name"`
	Incarnation string  `json:"incarnation" doc:"One life of the node's process."`
	Key         string  `json:"key" doc:"Its Ed25519 public key, in base64: receipts are verified with it."`
	Joined      uint64  `json:"joined" doc:"The revision at which it joined."`
	Reads       uint64  `json:"reads" doc:"The schema level that it can read."`
	LeaseMS     float64 `json:"lease_ms" doc:"The length of its newest lease; 0 when none is running."`
	LeaseLeftMS float64 `json:"lease_left_ms" doc:"Until that has surely run out."`
	Replica     string  `json:"replica" doc:"Whose copy of the stream it reads; empty where that can't be told."`
	Size        uint64  `json:"size" doc:"How many facts it had applied when it last said."`
	Differs     bool    `json:"differs" doc:"Its history was last seen to differ from the answering node's."`
}

// Ready answers GET /readyz.
type Ready struct {
	Ready      bool     `json:"ready"`
	Phase      string   `json:"phase" doc:"connecting, replaying, live, failed, closed or stopping."`
	WaitingFor string   `json:"waiting_for" doc:"A sentence; empty when ready."`
	Applied    uint64   `json:"applied" doc:"The newest revision in memory."`
	Target     uint64   `json:"target" doc:"The newest revision known of."`
	Lease      Lease    `json:"lease"`
	RoundTrip  float64  `json:"barrier_round_trip_ms" doc:"From asking for proof of being current to having it, the latest."`
	LagRecords uint64   `json:"lag_records" doc:"Records in the stream that are not applied here yet; 0 when the stream can't be asked."`
	LagMS      float64  `json:"lag_ms" doc:"How long that has been seen to be so."`
	Tree       Tree     `json:"tree"`
	Accepted   []uint64 `json:"accepted" doc:"Records that can't be read, and that the operator had this node pass over."`
}

// Lease is how long a node may answer without fresh proof of being current.
type Lease struct {
	LengthMS float64 `json:"length_ms" doc:"0: there was none yet."`
	AgeMS    float64 `json:"age_ms" doc:"Since the newest proof was asked for."`
	LeftMS   float64 `json:"left_ms" doc:"Until checks are refused as stale."`
}

// Tree is the Merkle tree (RFC 6962) over the facts that a node has applied.
type Tree struct {
	Size uint64 `json:"size"`
	Root string `json:"root" doc:"In hexadecimal; empty for an empty tree."`
}
