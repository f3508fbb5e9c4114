package wire

import "time"

// LastUsed is how a token was used in its present generation, at all nodes
// together, as far as the node that answers knows.
type LastUsed struct {
	At      time.Time `json:"at" doc:"To the second."`
	Address *string   `json:"address" nullable:"true" doc:"Where that use came from, as a network: /24 of IPv4, /48 of IPv6; null if it isn't known."`
	Count   uint64    `json:"count" doc:"Of the uses: checks, and calls that the token was accepted for."`
}
