package api

import (
	"net/netip"
	"sync"
	"time"
)

const (
	leakShare    = 10   // one network may send so small a part of the reports
	leakNetworks = 4096 // networks of a generation: some 200 bytes each
	leakBits4    = 24   // of an IPv4 address that are its network
	leakBits6    = 48   // of an IPv6 address
)

// leakGate says how many reports of leaked secrets a node takes: so many in all,
// and less of each network, whatever it sends, so that one can't keep the
// others from reporting.
type leakGate struct {
	total *bucket
	each  int // a minute, from one network

	mu             sync.Mutex               // guards what follows
	recent, before map[netip.Prefix]*bucket // those seen since recent was last full, and those before: the rest is forgotten
}

func newLeakGate(perMinute int) *leakGate {
	return &leakGate{
		total:  newBucket(time.Minute/time.Duration(perMinute), perMinute),
		each:   max(perMinute/leakShare, 1),
		recent: map[netip.Prefix]*bucket{},
	}
}

// takeFrom returns 0 if a report may come from there, or how long it will be
// until then. Addresses that can't be read are one network.
func (g *leakGate) takeFrom(a netip.Addr) (wait time.Duration) { return g.of(leakNetwork(a)).take() }

// of returns the bucket of a network.
func (g *leakGate) of(network netip.Prefix) *bucket {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.recent[network]
	if b != nil {
		return b
	}
	if len(g.recent) >= leakNetworks {
		g.recent, g.before = map[netip.Prefix]*bucket{}, g.recent
	}
	if b = g.before[network]; b == nil {
		b = newBucket(time.Minute/time.Duration(g.each), g.each)
		b.now = g.total.now
	}
	g.recent[network] = b
	return b
}

// leakNetwork is the network that an address stands for; the zero Prefix for
// none.
func leakNetwork(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := leakBits6
	if a.Is4() {
		bits = leakBits4
	}
	network, _ := a.Prefix(bits) // its errors are of addresses that are none
	return network
}
