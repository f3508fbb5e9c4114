package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// The stream's leader lost an old block. A change that it contradicts is
// answered as such, through a healthy node, which has it step down; from then
// on the same change is made. Checks go on all the time.
func TestDamagedLeaderStepsDown(t *testing.T) {
	t.Parallel() // it mostly waits
	if testing.Short() {
		t.Skip("it takes a cluster of real servers")
	}
	c := eventstoretest.NewCluster(t, 3)
	for i := range c.Configs {
		c.Configs[i].MaxBytes = 30 << 20 // blocks of 4 MiB
	}
	c.Start(0, 1, 2)
	fill(t, c.Log(0), 1200, 4000)
	var services [3]*api.Service
	var ends [3]func()
	for i := range services {
		services[i], ends[i] = serviceOver(t, c, i)
	}
	at := domain.Seq(0)
	for _, s := range services {
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		at = max(at, s.Revision())
	}
	if n := len(eventstoretest.Blocks(t, c.Configs[2].Dir)); n < 2 {
		t.Fatalf("there are %d blocks", n)
	}
	ends[2]()
	c.Stop(2)
	eventstoretest.RemoveBlock(t, c.Configs[2].Dir, 0)
	c.Start(2)
	eventstoretest.Eventually(t, "a node has read the damaged copy", func() bool { // by lot it reads another
		var lines eventstoretest.Lines
		broken := projections.Open(c.Log(2), projections.Config{Logger: lines.Logger(), Node: projections.NodeConfig{Name: "n3"}})
		defer broken.Close()
		err := broken.Ready(eventstoretest.Context(t))
		if err != nil && !lines.Has("revisions 1 to") {
			t.Fatalf("the damaged node: %v", err)
		}
		return err != nil
	})
	c.Lead(2)

	healthy := services[0]
	disable := func() error {
		_, err := healthy.Do(eventstoretest.Context(t), healthy.Operator(), domain.DisableToken{Account: "acme", Token: "t1"}, api.WaitCommit)
		return err
	}
	if err := disable(); domain.CodeOf(err) != domain.CodeReplicaDamaged {
		t.Fatalf("a change that the leader contradicts came to %v", err)
	}
	eventstoretest.Eventually(t, "another server leads", func() bool { return c.Leader(0) != 2 })
	eventstoretest.Eventually(t, "the change is made", func() bool {
		err := disable()
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	if p := services[1].Revision(); p < at {
		t.Errorf("node 2 is at %d", p)
	}
}

// serviceOver opens what "hallpass serve" has over node i's server.
func serviceOver(t *testing.T, c *eventstoretest.Cluster, i int) (_ *api.Service, end func()) {
	t.Helper()
	head, err := eventstore.OpenHead(filepath.Join(c.Configs[i].Dir, headFile))
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	p := projections.Open(c.Log(i), projections.Config{
		Logger: logger, Head: head, Node: projections.NodeConfig{Name: domain.NodeName(c.Configs[i].Cluster.Node)},
	})
	end = sync.OnceFunc(func() {
		p.Close()
		_ = head.Close()
	})
	t.Cleanup(end)
	return api.NewService(api.ServiceConfig{Log: c.Log(i), Projection: p, Logger: logger}), end
}

// fill files the account acme and n tokens, of about size bytes each, which
// don't compress.
func fill(t *testing.T, log eventstore.Log, n, size int) {
	t.Helper()
	file := func(token domain.TokenID, e domain.Event) {
		now := domain.InstantOf(time.Now())
		var entropy [10]byte
		_, _ = rand.Read(entropy[:])
		f := &domain.Fact{ID: domain.NewEventID(now, entropy), Time: now, Account: "acme", Token: token, Event: e}
		_, err := log.Append(eventstoretest.Context(t), eventstore.Entry{
			Subject: eventstore.SubjectOf(f), ID: f.ID, Type: e.Type(), Data: domain.Encode(f),
		})
		if err != nil {
			t.Errorf("appending to %s: %v", eventstore.SubjectOf(f), err)
		}
	}
	file("", domain.AccountOpened{Name: "Acme"})
	tokens := make(chan int, n)
	for k := range n {
		tokens <- k + 1
	}
	close(tokens)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for k := range tokens {
				var secret, noise [32]byte
				_, _ = rand.Read(secret[:])
				is := domain.TokenIssued{Generation: 1, Enabled: true, Kind: domain.KindAPI, Digest: domain.NewSecret(secret).Digest()}
				is.Permissions.Mode = domain.Union
				for part := range size / 200 {
					value := ""
					for range 4 {
						_, _ = rand.Read(noise[:])
						value += base64.StdEncoding.EncodeToString(noise[:])
					}
					is.Tags = append(is.Tags, domain.Tag{Key: fmt.Sprintf("part%02d", part), Value: value})
				}
				file(domain.TokenID(fmt.Sprint("t", k)), is)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
