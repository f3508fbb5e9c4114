package eventstore

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ClusterConfig makes the embedded server one of a cluster. Routes are made by
// user hallpass with Secret, with mutual TLS, or both. The first start of a
// cluster needs all its nodes, so that two halves can't begin two histories;
// later ones need more than half.
type ClusterConfig struct {
	Name     string   // the same on every node
	Node     string   // this node's own, and its server's
	Listen   string   // host:port for the other nodes
	Routes   []string // where the others listen: nats://host:port; this node itself may be among them
	Replicas int      // of a stream that is made, 1 to 5; default 3
	Secret   string   // password of the routes; "": certificates alone
	CA       string   // paths of PEM files, all three or none
	Cert     string   // for ClientListen too
	Key      string
}

// routeUser is who other nodes connect as, and clients of ClientListen.
const routeUser = "hallpass"

const defaultReplicas = 3

// routePing, so often unanswered, ends a route whose link is dead.
const (
	routePing      = 2 * time.Second
	routePingsLost = 3
)

func (c *ClusterConfig) replicas() int { return cmp.Or(c.Replicas, defaultReplicas) }

// check returns a sentence about what can't be meant.
func (c *ClusterConfig) check() error {
	switch {
	case c.Name == "" || checkGroup(c.Name) != nil:
		return errors.New("eventstore: the cluster's name must be of the characters [A-Za-z0-9_-]")
	case c.Node == "" || len(c.Node) > 64 || checkGroup(c.Node) != nil:
		return errors.New("eventstore: the node's name must be 1 to 64 of the characters [A-Za-z0-9_-]")
	case c.replicas() < 1 || c.replicas() > server.StreamMaxReplicas:
		return fmt.Errorf("eventstore: a stream has 1 to %d replicas, not %d", server.StreamMaxReplicas, c.Replicas)
	case len(slices.DeleteFunc(slices.Clone(c.Routes), c.isSelf)) == 0:
		return errors.New("eventstore: a cluster needs the routes to its other nodes (nats://host:6222); " +
			"a node that is to stay alone needs no cluster")
	}
	return nil
}

// routesTo sets opts up for the routes between the nodes.
func (c *ClusterConfig) routesTo(opts *server.Options) error {
	if err := c.check(); err != nil {
		return err
	}
	host, port, err := listenAt(c.Listen)
	if err != nil {
		return fmt.Errorf("eventstore: the address for the cluster's other nodes %w", err)
	}
	tlsConfig, err := c.tls()
	if err != nil {
		return err
	}
	if c.Secret == "" && tlsConfig == nil && !loopback(host) {
		return fmt.Errorf("eventstore: the cluster's address %s is open to other machines; "+
			"state a cluster secret, or a CA, certificate and key, on every node", c.Listen)
	}
	opts.Cluster = server.ClusterOpts{
		Name: c.Name, Host: host, Port: port, NoAdvertise: true, TLSConfig: tlsConfig,
		PingInterval: routePing, MaxPingsOut: routePingsLost,
	}
	if c.Secret != "" {
		opts.Cluster.Username, opts.Cluster.Password = routeUser, c.Secret
	}
	opts.Routes, err = c.urls()
	return err
}

// urls returns the routes, with the secret in them. An error never shows it.
func (c *ClusterConfig) urls() ([]*url.URL, error) {
	var urls []*url.URL
	for _, s := range c.Routes {
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		u, err := url.Parse(s)
		if err != nil || u.Hostname() == "" || u.Port() == "" {
			return nil, errors.New("eventstore: a route of the cluster can't be read; it looks like nats://host:6222")
		}
		if u.User != nil {
			return nil, fmt.Errorf("eventstore: the route to %s holds a credential; "+
				"leave it out and state the cluster secret instead", u.Host)
		}
		if c.Secret != "" {
			u.User = url.UserPassword(routeUser, c.Secret)
		}
		urls = append(urls, u)
	}
	return urls, nil
}

// tls returns the routes' TLS configuration, each side to be verified; nil:
// none.
func (c *ClusterConfig) tls() (*tls.Config, error) {
	switch {
	case c.CA == "" && c.Cert == "" && c.Key == "":
		return nil, nil
	case c.CA == "" || c.Cert == "" || c.Key == "":
		return nil, errors.New("eventstore: the cluster's CA, certificate and key go together; one is missing")
	}
	t, err := loadTLS("cluster", c.CA, c.Cert, c.Key)
	if err != nil {
		return nil, err
	}
	t.ClientCAs, t.ClientAuth = t.RootCAs, tls.RequireAndVerifyClientCert
	return t, nil
}

// listenAt reads a host:port; the error goes on from "the address …".
func listenAt(at string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(at)
	if err != nil {
		return "", 0, fmt.Errorf("is no host:port: %w", err)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("has %q as its port, which is no number up to 65535", text)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return cmp.Or(host, "0.0.0.0"), port, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
