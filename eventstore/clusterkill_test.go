package eventstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// serveNode opens a node of a cluster, says so, and ends with its input.
func serveNode(text string) error {
	var cfg eventstore.EmbedConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	log, err := eventstore.OpenEmbedded(context.Background(), cfg)
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, log.Close())
}

// startNode runs a node in a process of its own and returns how to kill it.
func startNode(t *testing.T, cfg eventstore.EmbedConfig) (kill func()) {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childNode+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // it ends with this process, and the child then too
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		in.Close()         //nolint:errcheck // the process is killed anyway
		cmd.Process.Kill() //nolint:errcheck // it may have ended already
		cmd.Wait()         //nolint:errcheck // it was killed
	}
	t.Cleanup(kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "open\n" {
		t.Fatalf("the node says %q, %v", line, err)
	}
	return kill
}

// A node that leads the stream is killed while others append: no acknowledged
// record is lost. It prints how long the slowest append waited.
func TestClusterLeaderIsKilled(t *testing.T) {
	t.Parallel() // it mostly waits
	c := eventstoretest.NewCluster(t, 3)
	for i := range c.Configs {
		c.Configs[i].NoSync = false
	}
	opened := make(chan error, 2)
	for i := range 2 {
		go func() { opened <- c.Open(eventstoretest.Context(t), i) }()
	}
	kill := startNode(t, c.Configs[2])
	for range 2 {
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
	}
	var slowest atomic.Int64
	story(t, watched{c.Log(0), &slowest}, 2, 40, func() {
		c.Lead(2)
		kill()
		kill = startNode(t, c.Configs[2])
	})
	t.Logf("the leader was killed twice; the slowest append took %v", time.Duration(slowest.Load()))
}

// watched notes the slowest append.
type watched struct {
	eventstore.Log
	slowest *atomic.Int64
}

func (w watched) Append(ctx context.Context, e eventstore.Entry) (eventstore.Seq, error) {
	begin := time.Now()
	seq, err := w.Log.Append(ctx, e)
	if took := int64(time.Since(begin)); took > w.slowest.Load() {
		w.slowest.Store(took)
	}
	return seq, err
}
