package eventstore_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// valuesOf returns what is on the shelf, once it is as many as that.
func valuesOf(t *testing.T, log eventstore.Log, n int) map[string]string {
	t.Helper()
	got := map[string]string{}
	eventstoretest.Eventually(t, "the shelf holds all values", func() bool {
		clear(got)
		_, err := log.Shelf().Since(eventstoretest.Context(t), 0, func(key string, value []byte) { got[key] = string(value) })
		return err == nil && len(got) == n
	})
	return got
}

func put(t *testing.T, log eventstore.Log, key, value string) uint64 {
	t.Helper()
	change, err := log.Shelf().Put(eventstoretest.Context(t), key, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// The data directory of an earlier version has no bucket: it is made when the
// first value is put, and is there at the next start.
func TestTheShelfOutlivesTheProcess(t *testing.T) {
	cfg := eventstore.EmbedConfig{Dir: t.TempDir()}
	log := openEmbedded(t, cfg)
	log.Close() //nolint:errcheck // it never fails
	log = openEmbedded(t, cfg)
	put(t, log, "n1.a", "1")
	put(t, log, "n1.a", "2")
	log.Close() //nolint:errcheck // it never fails
	log = openEmbedded(t, cfg)
	if got := valuesOf(t, log, 1); got["n1.a"] != "2" {
		t.Errorf("after a restart the shelf holds %v", got)
	}
}

func TestABucketThatWasDeletedIsMadeAnew(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	cfg := servers.Account()
	log, err := eventstore.OpenExternal(eventstoretest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() }) //nolint:errcheck // it never fails
	for range 5 {
		put(t, log, "n1.a", "old")
	}
	nc, err := nats.Connect(cfg.URL, nats.UserInfo(cfg.User, cfg.Password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Request("$JS.API.STREAM.DELETE.KV_hallpass-usage", nil, eventstoretest.Patience); err != nil {
		t.Fatal(err)
	}
	var change uint64
	eventstoretest.Eventually(t, "a value can be put again", func() bool {
		change, err = log.Shelf().Put(eventstoretest.Context(t), "n1.b", []byte("new"))
		return err == nil
	})
	if change != 1 {
		t.Errorf("the first change of a bucket made anew has number %d", change)
	}
	if got := valuesOf(t, log, 1); got["n1.b"] != "new" {
		t.Errorf("the shelf holds %v", got)
	}
	eventstoretest.Append(t, log, subject, 0, "the stream is there")
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.KeyValue("hallpass-usage")
	if err != nil {
		t.Fatalf("what NATS's own clients say of the bucket: %v", err)
	}
	if e, err := bucket.Get("n1.b"); err != nil || string(e.Value()) != "new" {
		t.Errorf("NATS's own clients read %v, %v", e, err)
	}
}
