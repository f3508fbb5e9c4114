package eventstore_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

func TestClusterRefuses(t *testing.T) {
	dir := t.TempDir()
	used := dir + "/alone"
	if err := openEmbedded(t, eventstore.EmbedConfig{Dir: used}).Close(); err != nil {
		t.Fatal(err)
	}
	const secret = "s3cr3t-Pa55"
	authority := eventstoretest.NewAuthority(t)
	cert, key := authority.Issue("n1")
	for name, c := range map[string]struct {
		change func(*eventstore.EmbedConfig)
		says   []string
	}{
		"used alone":      {func(c *eventstore.EmbedConfig) { c.Dir = used }, []string{`belongs to "standalone"`, `"cluster test node n1"`}},
		"no name":         {func(c *eventstore.EmbedConfig) { c.Cluster.Name = "" }, []string{"cluster's name"}},
		"odd name":        {func(c *eventstore.EmbedConfig) { c.Cluster.Name = "a b" }, []string{"cluster's name"}},
		"no node":         {func(c *eventstore.EmbedConfig) { c.Cluster.Node = "" }, []string{"node's name"}},
		"odd node":        {func(c *eventstore.EmbedConfig) { c.Cluster.Node = "n.1" }, []string{"node's name"}},
		"too many":        {func(c *eventstore.EmbedConfig) { c.Cluster.Replicas = 6 }, []string{"1 to 5 replicas, not 6"}},
		"no routes":       {func(c *eventstore.EmbedConfig) { c.Cluster.Routes = nil }, []string{"needs the routes"}},
		"alone":           {func(c *eventstore.EmbedConfig) { c.Cluster.Routes = []string{c.Cluster.Listen} }, []string{"needs the routes"}},
		"odd listen":      {func(c *eventstore.EmbedConfig) { c.Cluster.Listen = "here" }, []string{"no host:port"}},
		"odd port":        {func(c *eventstore.EmbedConfig) { c.Cluster.Listen = "127.0.0.1:x" }, []string{`"x" as its port`}},
		"open":            {func(c *eventstore.EmbedConfig) { c.Cluster.Listen = "0.0.0.0:6222" }, []string{"open to other machines", "secret"}},
		"open everywhere": {func(c *eventstore.EmbedConfig) { c.Cluster.Listen = ":6222" }, []string{"open to other machines"}},
		"half TLS":        {func(c *eventstore.EmbedConfig) { c.Cluster.Cert, c.Cluster.Key = cert, key }, []string{"go together"}},
		"no CA file": {func(c *eventstore.EmbedConfig) {
			c.Cluster.CA, c.Cluster.Cert, c.Cluster.Key = "/nonexistent", cert, key
		}, []string{"cluster CA can't be read"}},
		"wrong key": {func(c *eventstore.EmbedConfig) {
			c.Cluster.CA, c.Cluster.Cert, c.Cluster.Key = authority.CA, cert, cert
		}, []string{"cluster certificate"}},
		"odd route": {func(c *eventstore.EmbedConfig) { c.Cluster.Routes = []string{"nats://x"} }, []string{"nats://host:6222"}},
		"secret in a route": {func(c *eventstore.EmbedConfig) {
			c.Cluster.Routes = []string{"nats://hallpass:" + secret + "@host:1"}
		}, []string{"route to host:1 holds a credential"}},
		"unreadable route":   {func(c *eventstore.EmbedConfig) { c.Cluster.Routes = []string{"nats://a:" + secret + "@h:p:q"} }, []string{"can't be read"}},
		"clients unguarded":  {func(c *eventstore.EmbedConfig) { c.ClientListen = "127.0.0.1:0" }, []string{"needs a password"}},
		"odd client address": {func(c *eventstore.EmbedConfig) { c.ClientListen, c.ClientPassword = "x", secret }, []string{"for NATS clients is no host:port"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := eventstoretest.NewCluster(t, 3).Configs[0]
			c.change(&cfg)
			log, err := eventstore.OpenEmbedded(eventstoretest.Context(t), cfg)
			if err == nil {
				log.Close() //nolint:errcheck // it never fails
				t.Fatal("it was opened")
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q doesn't say %q", err, s)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the secret got out: %v", err)
			}
		})
	}
}

// A directory of a cluster's node is neither another node's nor a lone
// server's, and a node that gave up waiting can try again.
func TestClusterDirectory(t *testing.T) {
	c := eventstoretest.NewCluster(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Open(ctx, 0); err == nil {
		t.Fatal("a node was opened in no time")
	}
	other := c.Configs[1]
	other.Dir = c.Configs[0].Dir
	wantRefusal(t, other, `belongs to "cluster test node n1"`, `"cluster test node n2"`)
	other.Cluster = nil
	wantRefusal(t, other, `belongs to "cluster test node n1"`, `"standalone"`)
	if err := c.Open(ctx, 0); err == nil || strings.Contains(err.Error(), "belongs") {
		t.Errorf("the node itself: %v", err)
	}
}

// Whoever lacks the secret, or a certificate of the cluster's CA, gets no
// route; neither side shows the secret, at any level of its log.
func TestClusterAuthentication(t *testing.T) {
	t.Parallel() // it mostly waits
	right, wrong := eventstoretest.NewAuthority(t), eventstoretest.NewAuthority(t)
	use := func(cfg *eventstore.ClusterConfig, a *eventstoretest.Authority) {
		cfg.CA = a.CA
		cfg.Cert, cfg.Key = a.Issue(cfg.Node)
	}
	const secret, guess = "s3cr3t-Pa55", "guessed-Pa55"
	for name, c := range map[string]struct {
		good, bad func(*eventstore.ClusterConfig)
		says      []string
	}{
		"secret": {
			func(c *eventstore.ClusterConfig) { c.Secret = secret },
			func(c *eventstore.ClusterConfig) { c.Secret = guess },
			[]string{"authentication error", "Authorization Violation"},
		},
		"certificate": {
			func(c *eventstore.ClusterConfig) { use(c, right) },
			func(c *eventstore.ClusterConfig) { use(c, wrong) },
			[]string{"TLS route handshake error"},
		},
		"both": {
			func(c *eventstore.ClusterConfig) { use(c, right); c.Secret = secret },
			func(c *eventstore.ClusterConfig) { use(c, right); c.Secret = guess },
			[]string{"authentication error", "Authorization Violation"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it mostly waits
			cluster := eventstoretest.NewCluster(t, 3)
			var lines [3]eventstoretest.Lines
			for i := range cluster.Configs {
				cluster.Configs[i].Logger = lines[i].Logger()
				cluster.Configs[i].Cluster.Replicas = 1
				c.good(cluster.Configs[i].Cluster)
				if i < 2 { // they are the cluster
					cluster.Configs[i].Cluster.Routes = cluster.Configs[i].Cluster.Routes[:2]
				}
			}
			c.bad(cluster.Configs[2].Cluster)
			cluster.Start(0, 1)
			ctx, cancel := context.WithCancel(eventstoretest.Context(t))
			defer cancel()
			opened := make(chan error)
			go func() { opened <- cluster.Open(ctx, 2) }()
			eventstoretest.Eventually(t, "the intruder is refused", func() bool {
				return slices.ContainsFunc(c.says, func(s string) bool { return lines[0].Has(s) || lines[1].Has(s) }) &&
					slices.ContainsFunc(c.says, func(s string) bool { return lines[2].Has(s) })
			})
			eventstoretest.Eventually(t, "the intruder says what it lacks", func() bool {
				return lines[2].Has("still trying", "routes to 0 of 2 other nodes")
			})
			cancel()
			err := <-opened
			if err == nil {
				t.Fatal("a node without the right credential was let in")
			}
			for i := range lines {
				if s := lines[i].String() + err.Error(); strings.Contains(s, secret) || strings.Contains(s, guess) {
					t.Errorf("node %d shows a secret", i+1)
				}
			}
			eventstoretest.Append(t, cluster.Log(1), subject, 0, "x")
		})
	}
}

// A node without a server of its own, and an embedder, use the client port.
func TestClientPort(t *testing.T) {
	const password = "for-tests-only"
	alone := openEmbedded(t, eventstore.EmbedConfig{Dir: t.TempDir(), MaxBytes: 1 << 20, ClientListen: "127.0.0.1:0", ClientPassword: password})
	use := func(t *testing.T, server *eventstore.JetStream, ca string) {
		cfg := eventstore.ExternalConfig{URL: server.ClientURL(), User: "hallpass", Password: password, CA: ca}
		log := openExternal(t, cfg)
		if log.StreamID() != server.StreamID() {
			t.Error("the port leads to another stream")
		}
		eventstoretest.Append(t, log, subject, 0, "x")
		eventstoretest.Read(t, server, 1, 2)
		cfg.Password = "another"
		_ = wantExternalRefusal(t, cfg, "refuses the credential")
	}
	t.Run("of a lone server", func(t *testing.T) { use(t, alone, "") })
	t.Run("over TLS", func(t *testing.T) {
		t.Parallel() // it mostly waits
		authority := eventstoretest.NewAuthority(t)
		c := eventstoretest.NewCluster(t, 2)
		c.Configs[0].ClientListen, c.Configs[0].ClientPassword = "127.0.0.1:0", password
		for _, cfg := range c.Configs {
			cfg.Cluster.CA = authority.CA
			cfg.Cluster.Cert, cfg.Cluster.Key = authority.Issue(cfg.Cluster.Node)
		}
		c.Start(0, 1)
		use(t, c.Log(0), authority.CA)
	})
}
