package eventstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

func TestForeignStreams(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	model := configOf(t, servers)
	for _, c := range []struct {
		name   string
		change func(*jetstream.StreamConfig)
		says   []string
	}{
		{"no metadata", func(c *jetstream.StreamConfig) { c.Metadata = nil }, []string{"did not make", "another NATS account"}},
		{"a newer format", func(c *jetstream.StreamConfig) { c.Metadata["hallpass.format"] = "2" }, []string{"format 2", "newer hallpass"}},
		{"an odd format", func(c *jetstream.StreamConfig) { c.Metadata["hallpass.format"] = "x" }, []string{"unknown format"}},
		{"age limit", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, []string{"max_age is 3600000000000 and should be not set", "nats stream edit"}},
		{"count limit", func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }, []string{"max_msgs is 10 and should be -1"}},
		{"limit per subject", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }, []string{"max_msgs_per_subject"}},
		{"old records discarded", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, []string{`discard is "old" and should be "new"`}},
		{"deletes allowed", func(c *jetstream.StreamConfig) { c.DenyDelete = false }, []string{"deny_delete is not set and should be true"}},
		{"purges allowed", func(c *jetstream.StreamConfig) { c.DenyPurge = false }, []string{"deny_purge"}},
		{"rollups", func(c *jetstream.StreamConfig) { c.AllowRollup, c.DenyPurge = true, false }, []string{"allow_rollup_hdrs is true"}},
		{"delete markers", func(c *jetstream.StreamConfig) {
			c.SubjectDeleteMarkerTTL, c.AllowRollup, c.DenyPurge = time.Minute, true, false
		}, []string{"subject_delete_marker_ttl"}},
		{"schedules", func(c *jetstream.StreamConfig) { c.AllowMsgSchedules, c.Discard = true, jetstream.DiscardOld }, []string{"allow_msg_schedules"}},
		{"other subjects", func(c *jetstream.StreamConfig) { c.Subjects = []string{"hp.e.>", "hp.x"} }, []string{"subjects is [", "hp.x"}},
		{"in memory", func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, []string{`storage is "memory"`}},
		{"no direct reads", func(c *jetstream.StreamConfig) { c.AllowDirect = false }, []string{"allow_direct"}},
		{"two changes", func(c *jetstream.StreamConfig) { c.AllowDirect, c.MaxMsgs = false, 9 }, []string{"allow_direct", "max_msgs"}},
		{"no genesis", func(*jetstream.StreamConfig) {}, []string{"no genesis", "hp.e.acme.token.x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := servers.Account()
			js := manager(t, cfg)
			var sc jetstream.StreamConfig
			b, err := json.Marshal(model)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &sc); err != nil {
				t.Fatal(err)
			}
			c.change(&sc)
			if _, err := js.CreateStream(t.Context(), sc); err != nil {
				t.Fatal(err)
			}
			if _, err := js.Publish(t.Context(), "hp.e.acme.token.x", nil); err != nil {
				t.Fatal(err)
			}
			_ = wantExternalRefusal(t, cfg, c.says...)
		})
	}
}

// configOf returns the configuration of a stream that hallpass made.
func configOf(t *testing.T, servers *eventstoretest.Servers) jetstream.StreamConfig {
	cfg := servers.Account()
	openExternal(t, cfg)
	s, err := manager(t, cfg).Stream(t.Context(), "hallpass")
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

func manager(t *testing.T, cfg eventstore.ExternalConfig) jetstream.JetStream {
	nc, err := nats.Connect(cfg.URL, nats.UserInfo(cfg.User, cfg.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// What an operator may choose is left alone.
func TestOperatorsChoices(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	cfg := servers.Account()
	first := openExternal(t, cfg)
	js := manager(t, cfg)
	s, err := js.Stream(t.Context(), "hallpass")
	if err != nil {
		t.Fatal(err)
	}
	sc := s.CachedInfo().Config
	sc.MaxBytes, sc.Description = 32<<20, "ours"
	sc.Metadata["owner"] = "ops"
	if _, err := js.UpdateStream(t.Context(), sc); err != nil {
		t.Fatal(err)
	}
	again := openExternal(t, cfg)
	if u, err := again.Usage(t.Context()); err != nil || u.MaxBytes != 32<<20 || again.StreamID() != first.StreamID() {
		t.Errorf("reopened: %+v, %v", u, err)
	}
}

func TestExternalRefuses(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	good := servers.Account()
	with := func(change func(*eventstore.ExternalConfig)) eventstore.ExternalConfig {
		cfg := good
		change(&cfg)
		return cfg
	}
	const secret = "s3cr3t-Pa55"
	for name, c := range map[string]struct {
		cfg  eventstore.ExternalConfig
		says []string
	}{
		"wrong password": {with(func(c *eventstore.ExternalConfig) { c.Password = secret }), []string{"refuses the credential"}},
		"password in the URL": {eventstore.ExternalConfig{URL: "nats://a0:" + secret + "@" + servers.Addr(0)},
			[]string{"refuses the credential"}},
		"broken URL":    {eventstore.ExternalConfig{URL: "nats://a0:" + secret + "@host:port:x"}, []string{"nats://host:4222"}},
		"no URL":        {eventstore.ExternalConfig{}, []string{"nats://host:4222"}},
		"no creds file": {with(func(c *eventstore.ExternalConfig) { c.Creds = "/nonexistent/x.creds" }), []string{"credentials can't be read"}},
		"no CA file":    {with(func(c *eventstore.ExternalConfig) { c.CA = "/nonexistent/ca.pem" }), []string{"CA can't be read"}},
		"key missing":   {with(func(c *eventstore.ExternalConfig) { c.Cert = "/nonexistent/c.pem" }), []string{"don't load"}},
		"no cluster":    {with(func(c *eventstore.ExternalConfig) { c.Replicas = 3 }), []string{"stands alone"}},
		"too large":     {with(func(c *eventstore.ExternalConfig) { c.MaxBytes = 1 << 50 }), []string{"doesn't grant", "smaller size"}},
	} {
		t.Run(name, func(t *testing.T) {
			var lines bytes.Buffer
			c.cfg.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
			err := wantExternalRefusal(t, c.cfg, c.says...)
			if err != nil && strings.Contains(err.Error()+lines.String(), secret) {
				t.Errorf("the password got out: %v, %s", err, lines.String())
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		servers.Stop(0)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := eventstore.OpenExternal(ctx, good); err == nil || ctx.Err() == nil {
			t.Errorf("open without a server: %v", err)
		}
	})
}

func wantExternalRefusal(t *testing.T, cfg eventstore.ExternalConfig, says ...string) error {
	t.Helper()
	log, err := eventstore.OpenExternal(eventstoretest.Context(t), cfg)
	if err == nil {
		log.Close() //nolint:errcheck // it never fails
		t.Fatal("it was opened")
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q doesn't say %q", err, s)
		}
	}
	return err
}
