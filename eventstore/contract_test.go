package eventstore_test

import (
	"testing"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

func TestMemoryContract(t *testing.T) {
	eventstoretest.Run(t, func(_ testing.TB, maxBytes int64) eventstore.Log {
		return eventstore.NewMemory(eventstore.MemoryConfig{MaxBytes: uint64(maxBytes)})
	})
}

func TestEmbeddedContract(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB, maxBytes int64) eventstore.Log {
		return openEmbedded(t, eventstore.EmbedConfig{Dir: t.TempDir(), MaxBytes: maxBytes})
	})
}

func TestEmbeddedOverLoopbackContract(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB, maxBytes int64) eventstore.Log {
		return openEmbedded(t, eventstore.EmbedConfig{Dir: t.TempDir(), MaxBytes: maxBytes, Listen: "127.0.0.1:0"})
	})
}

func TestExternalContract(t *testing.T) {
	eventstoretest.Run(t, eventstoretest.StartServers(t, 1).Open)
}

func TestReplicatedContract(t *testing.T) {
	t.Parallel() // it mostly waits
	eventstoretest.Run(t, eventstoretest.StartServers(t, 3).Open)
}

func openEmbedded(t testing.TB, cfg eventstore.EmbedConfig) *eventstore.JetStream {
	t.Helper()
	log, err := eventstore.OpenEmbedded(eventstoretest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() }) //nolint:errcheck // it never fails
	return log
}
