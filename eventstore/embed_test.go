package eventstore_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

func TestEmbeddedReopens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	cfg := eventstore.EmbedConfig{Dir: dir, MaxBytes: 1 << 20}
	log := openEmbedded(t, cfg)
	id := log.StreamID()
	var last eventstore.Seq
	for i := range 50 {
		last = eventstoretest.Append(t, log, subject, eventstore.Seq(min(i, 1)*(i+1)), fmt.Sprint(i))
	}
	before := eventstoretest.Read(t, log, 1, last)
	name, err := os.ReadFile(filepath.Join(dir, "server-name"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data directory has mode %v, %v", info.Mode(), err)
	}
	for range 2 {
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		log = openEmbedded(t, eventstore.EmbedConfig{Dir: dir})
		if log.StreamID() != id {
			t.Error("another stream id after a restart")
		}
		after := eventstoretest.Read(t, log, 1, last)
		for i := range before {
			if before[i].Stored != after[i].Stored || !bytes.Equal(before[i].Data, after[i].Data) {
				t.Errorf("record %d differs after a restart", before[i].Seq)
			}
		}
		if again, err := os.ReadFile(filepath.Join(dir, "server-name")); err != nil || !bytes.Equal(again, name) {
			t.Errorf("the server was %s and is %s, %v", name, again, err)
		}
	}
	if u, err := log.Usage(t.Context()); err != nil || u.MaxBytes != 1<<20 {
		t.Errorf("a reopened stream's size is %d, %v", u.MaxBytes, err)
	}
}

func TestEmbeddedDefaultSize(t *testing.T) {
	log := openEmbedded(t, eventstore.EmbedConfig{Dir: t.TempDir()})
	if u, err := log.Usage(t.Context()); err != nil || u.MaxBytes < 256<<20 {
		t.Errorf("the default size is %d, %v", u.MaxBytes, err)
	}
}

// An embedded stream that filled up goes on when its operator gives it room.
func TestEmbeddedGrows(t *testing.T) {
	dir := t.TempDir()
	log := openEmbedded(t, eventstore.EmbedConfig{Dir: dir, MaxBytes: 16 << 10})
	eventstoretest.Append(t, log, subject, 0, strings.Repeat("x", 8<<10))
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, eventstore.EmbedConfig{Dir: dir, MaxBytes: 4 << 10}, "holds", "larger size")
	log = openEmbedded(t, eventstore.EmbedConfig{Dir: dir, MaxBytes: 64 << 10})
	eventstoretest.Append(t, log, subject, 2, strings.Repeat("x", 30<<10))
	if u, err := log.Usage(t.Context()); err != nil || u.MaxBytes != 64<<10 || u.Records != 3 {
		t.Errorf("after growing: %+v, %v", u, err)
	}
}

func TestEmbeddedRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	held := filepath.Join(dir, "held")
	openEmbedded(t, eventstore.EmbedConfig{Dir: held})
	damaged := filepath.Join(dir, "damaged")
	if err := os.MkdirAll(damaged, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cfg  eventstore.EmbedConfig
		says []string
	}{
		{eventstore.EmbedConfig{}, []string{"isn't stated"}},
		{eventstore.EmbedConfig{Dir: filepath.Join(file, "sub")}, []string{"can't be made"}},
		{eventstore.EmbedConfig{Dir: held}, []string{"in use by another hallpass", fmt.Sprintf("(pid %d)", os.Getpid())}},
		{eventstore.EmbedConfig{Dir: damaged}, []string{"didn't start", "not a directory"}},
		{eventstore.EmbedConfig{Dir: dir, Listen: "0.0.0.0:0"}, []string{"loopback only"}},
		{eventstore.EmbedConfig{Dir: dir, Listen: "here"}, []string{"host:port"}},
	} {
		wantRefusal(t, c.cfg, c.says...)
	}
}

func wantRefusal(t *testing.T, cfg eventstore.EmbedConfig, says ...string) {
	t.Helper()
	log, err := eventstore.OpenEmbedded(eventstoretest.Context(t), cfg)
	if err == nil {
		log.Close() //nolint:errcheck // it never fails
		t.Fatalf("%+v was opened", cfg)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q doesn't say %q", err, s)
		}
	}
}
