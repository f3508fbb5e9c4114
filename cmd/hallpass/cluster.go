package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// The environment alone holds these: on a command line others could see them.
const (
	clusterSecretName = "HALLPASS_CLUSTER_SECRET"
	natsPasswordName  = "HALLPASS_NATS_PASSWORD" //nolint:gosec // its name, not what it holds
)

// clusterFlags is what "serve" can be told about the other nodes.
type clusterFlags struct {
	cluster, node    string
	listen, routes   string
	ca, cert, key    string
	lease, stale     span
	maxLease         span
	accept           acceptRecords
	giveUp           string
	secret, password string // of the routes, and of --nats-listen; from the environment
}

func (s *clusterFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.cluster, "cluster", "", "the name of the cluster that the embedded stream is part of, the same on every node (default: it stands alone)")
	f.StringVar(&s.node, "node", "", "this node's name among the others (default: a random one, kept under --data; required with --cluster)")
	f.StringVar(&s.listen, "cluster-listen", "", "the address for the cluster's other nodes, as 10.0.0.1:6222")
	f.StringVar(&s.routes, "routes", "", "where the cluster's other nodes listen, with commas, as nats://10.0.0.2:6222; this node may be among them")
	f.StringVar(&s.ca, "cluster-ca", "", "a file with the PEM certificates to verify the cluster's other nodes with")
	f.StringVar(&s.cert, "cluster-cert", "", "a file with the PEM certificate to show to the cluster's other nodes, and to NATS clients of --nats-listen")
	f.StringVar(&s.key, "cluster-key", "", "a file with the PEM key of --cluster-cert")
	s.lease.d = projections.DefaultLease
	f.Var(&s.lease, "lease", "how long checks are answered after proof of being current; at least 1s")
	f.Var(&s.stale, "serve-stale", "how long after that checks are answered all the same, marked as stale, for tokens that can't manage anything (default: not at all)")
	f.Var(&s.maxLease, "max-lease", "the longest that --lease and --serve-stale may be on any node together, when the stream is made; at most 30s (default: 12s, or what this node takes)")
	f.Var(&s.accept, "accept-record", "pass over a record that can't be read: its revision, a colon, and the SHA-256 of its data; may be given several times")
	f.StringVar(&s.giveUp, "give-up", "", "go on with a history that lacks what this node once had, as the refusal to start names it; what is lacking is lost for good")
}

// leastLease is below what any machine's hiccup would cost.
const leastLease = time.Second

// mostLease leaves clients, which wait for a minute, time for a change that
// waits for a lease to run out.
const mostLease = 30 * time.Second

// needs is the longest lease that this node takes.
func (s *clusterFlags) needs() time.Duration { return s.lease.d + s.stale.d }

// check refuses flags that don't go together.
func (s *clusterFlags) check() error {
	if s.node != "" {
		if _, err := domain.ParseNodeName(s.node); err != nil {
			return usagef("--node is 1 to 64 letters, digits, - and _, and not 'genesis'")
		}
	}
	switch {
	case s.cluster == "" && s.listen+s.routes+s.ca+s.cert+s.key+s.secret != "":
		return usagef("--cluster-listen, --routes, --cluster-ca, --cluster-cert, --cluster-key and %s need --cluster", clusterSecretName)
	case s.cluster != "" && s.node == "":
		return usagef("--cluster needs --node: a name for this node that no other has, and that it keeps")
	case s.cluster != "" && s.listen == "":
		return usagef("--cluster needs --cluster-listen: where this node listens for the others")
	case (s.ca == "") != (s.cert == "") || (s.cert == "") != (s.key == ""):
		return usagef("--cluster-ca, --cluster-cert and --cluster-key go together: give all or none")
	case s.lease.d < leastLease:
		return usagef("--lease is at least %v", leastLease)
	case s.maxLease.d > mostLease:
		return usagef("--max-lease is at most %v", mostLease)
	case s.needs() > mostLease:
		return usagef("--lease and --serve-stale are at most %v together", mostLease)
	case s.maxLease.d != 0 && s.needs() > s.maxLease.d:
		return usagef("--lease and --serve-stale are %v together, more than --max-lease", s.needs())
	}
	return nil
}

// fits refuses a lease that the stream does not permit.
func (s *clusterFlags) fits(is eventstore.Settings) error {
	if s.needs() <= is.MaxLease {
		return nil
	}
	return fmt.Errorf("--lease and --serve-stale are %v together, and this stream permits %v, as it was made: choose shorter ones", s.needs(), is.MaxLease)
}

// longest is the longest lease of a stream that is made.
func (s *clusterFlags) longest() time.Duration {
	return cmp.Or(s.maxLease.d, max(s.needs(), eventstore.DefaultMaxLease))
}

// fromEnvironment takes the secrets out of the environment, so that nothing
// passes them on.
func (s *clusterFlags) fromEnvironment() {
	s.secret, s.password = os.Getenv(clusterSecretName), os.Getenv(natsPasswordName)
	_ = os.Unsetenv(clusterSecretName)
	_ = os.Unsetenv(natsPasswordName)
}

// config is what the embedded stream is told of its cluster; nil: it has none.
func (s *clusterFlags) config(replicas int) *eventstore.ClusterConfig {
	if s.cluster == "" {
		return nil
	}
	return &eventstore.ClusterConfig{
		Name: s.cluster, Node: s.node, Listen: s.listen, Routes: commaList(s.routes), Replicas: replicas,
		Secret: s.secret, CA: s.ca, Cert: s.cert, Key: s.key,
	}
}

func commaList(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// loopbackAddress tells whether host:port can be reached from this machine alone.
func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// acceptRecords is the value of --accept-record: which records may be passed
// over, by revision, with the SHA-256 of their data.
type acceptRecords map[domain.Seq][sha256.Size]byte

func (a *acceptRecords) Type() string { return "seq:sha256" }
func (a *acceptRecords) String() string {
	return strings.Join(a.GetSlice(), " ")
}

func (a *acceptRecords) Set(text string) error {
	wrong := errors.New("it is written as a revision, a colon, and the SHA-256 of the record's data in 64 hexadecimal digits")
	number, digits, ok := strings.Cut(text, ":")
	seq, err := strconv.ParseUint(number, 10, 63)
	if !ok || err != nil || seq == 0 {
		return wrong
	}
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != sha256.Size {
		return wrong
	}
	if *a == nil {
		*a = acceptRecords{}
	}
	(*a)[domain.Seq(seq)] = [sha256.Size]byte(sum)
	return nil
}

// Append, Replace and GetSlice make it a flag that may come several times.
func (a *acceptRecords) Append(text string) error { return a.Set(text) }
func (a *acceptRecords) Replace(all []string) error {
	*a = nil
	for _, text := range all {
		if err := a.Set(text); err != nil {
			return err
		}
	}
	return nil
}

func (a *acceptRecords) GetSlice() []string {
	var out []string
	for _, seq := range slices.Sorted(maps.Keys(*a)) {
		sum := (*a)[seq]
		out = append(out, fmt.Sprintf("%d:%x", seq, sum[:]))
	}
	return out
}
