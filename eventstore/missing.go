package eventstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// probeTimeout bounds the look at one route that isn't connected.
const probeTimeout = 500 * time.Millisecond

// missing says, for an operator, what the cluster lacks before its stream can
// be used.
func (e *embedded) missing(ctx context.Context) string {
	var lacks []string
	if s := e.missingRoutes(ctx); s != "" {
		lacks = append(lacks, s)
	}
	meta, stream := e.leaders()
	switch {
	case meta == "":
		lacks = append(lacks, "JetStream has no leader for its metadata (more than half of the nodes must be there, at the first start all)")
	case stream == "" && e.srv.JetStreamIsStreamAssigned(ownAccount, streamName):
		lacks = append(lacks, "the stream has no leader (more than half of its replicas must be there)")
	}
	if len(lacks) == 0 {
		return "nothing that this node can see"
	}
	return strings.Join(lacks, "; ")
}

// missingRoutes says how many of the routes are connected and why others
// aren't; "": all are.
func (e *embedded) missingRoutes(ctx context.Context) string {
	routes, err := e.srv.Routez(nil)
	if err != nil {
		return ""
	}
	var nodes, solicited []string
	for _, r := range routes.Routes {
		if !slices.Contains(nodes, r.RemoteName) {
			nodes = append(nodes, r.RemoteName)
		}
		if r.DidSolicit {
			solicited = append(solicited, net.JoinHostPort(r.IP, fmt.Sprint(r.Port)))
		}
	}
	others := slices.DeleteFunc(slices.Clone(e.cluster.Routes), e.cluster.isSelf)
	if len(nodes) >= len(others) {
		return ""
	}
	slices.Sort(nodes)
	said := fmt.Sprintf("routes to %d of %d other nodes are connected", len(nodes), len(others))
	if len(nodes) > 0 {
		said += " (" + strings.Join(nodes, ", ") + ")"
	}
	for _, route := range others {
		at := routeHost(route)
		if slices.Contains(solicited, at) {
			continue
		}
		if err := probe(ctx, at); err != nil {
			said += fmt.Sprintf(", %s can't be reached (%s)", at, plain(err))
		}
	}
	if trouble := e.log.trouble.Load(); trouble != nil {
		said += "; the server's last complaint is: " + *trouble
	}
	return said
}

// isSelf tells whether a route leads to this node itself.
func (c *ClusterConfig) isSelf(route string) bool { return routeHost(route) == c.Listen }

// routeHost returns the host:port of a route that check has seen.
func routeHost(route string) string {
	if u, err := url.Parse(route); err == nil && u.Host != "" {
		return u.Host
	}
	return route
}

// probe connects to a route's address and lets go again.
func probe(ctx context.Context, at string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", at)
	if err != nil {
		return err
	}
	return c.Close()
}

// plain is a connection's error without its addresses.
func plain(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &dns):
		return dns.Err
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer"
	}
	return err.Error()
}

// leaders names the servers that lead JetStream's metadata and the stream, as
// this server knows; "": none.
func (e *embedded) leaders() (meta, stream string) {
	m, s := e.groups()
	return m.leader, s.leader
}

// group is servers of which one leads.
type group struct {
	leader string             // "": none, as far as this server knows
	others []*server.PeerInfo // as the leader knows them
}

// groups are the servers of JetStream's metadata, and of the stream.
func (e *embedded) groups() (meta, stream group) {
	info, err := e.srv.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return meta, stream
	}
	if info.Meta != nil {
		meta = group{info.Meta.Leader, info.Meta.Replicas}
	}
	for _, account := range info.AccountDetails {
		for _, s := range account.Streams {
			if account.Name == ownAccount && s.Name == streamName && s.Cluster != nil {
				stream = group{s.Cluster.Leader, s.Cluster.Replicas}
			}
		}
	}
	return meta, stream
}
