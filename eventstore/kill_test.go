package eventstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// childDir, in the environment, makes the test binary the process to kill.
const childDir = "HALLPASS_TEST_KILL_DIR"

// childNode, in the environment, makes it a node of a cluster: the EmbedConfig,
// as JSON.
const childNode = "HALLPASS_TEST_NODE"

func TestMain(m *testing.M) {
	if cfg := os.Getenv(childNode); cfg != "" {
		if err := serveNode(cfg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(childBatches); dir != "" {
		if err := batchForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if dir := os.Getenv(childDir); dir != "" {
		if err := appendForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const killWriters = 4

// appendForEver appends to one subject a writer, each with the expectation
// that the record before gives, and prints "<subject> <seq> <data>" once the
// log has acknowledged it. It goes on from what the stream holds.
func appendForEver(dir string) error {
	ctx := context.Background()
	log, err := eventstore.OpenEmbedded(ctx, eventstore.EmbedConfig{Dir: dir, MaxBytes: 1 << 30})
	if err != nil {
		return err
	}
	newest, count, err := perSubject(ctx, log)
	if err != nil {
		return err
	}
	fmt.Println("open")
	failed := make(chan error)
	var out sync.Mutex
	for w := range killWriters {
		s := eventstore.Subject(fmt.Sprint("hp.e.acme.token.k", w))
		last, next := newest[s], count[s]
		go func() { // ends with the process
			for ; ; next++ {
				data := strconv.Itoa(next)
				seq, err := log.Append(ctx, eventstoretest.NewEntry(s, last, []byte(data)))
				if err != nil {
					failed <- err
					return
				}
				last = seq
				out.Lock()
				fmt.Println(s, seq, data)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

// perSubject returns the newest record and the number of records of each
// subject.
func perSubject(ctx context.Context, log eventstore.Log) (map[eventstore.Subject]eventstore.Seq, map[eventstore.Subject]int, error) {
	newest, count := map[eventstore.Subject]eventstore.Seq{}, map[eventstore.Subject]int{}
	head, err := log.Last(ctx)
	if err != nil {
		return nil, nil, err
	}
	records, err := eventstoretest.ReadAll(ctx, log, 1, head, 256)
	for _, r := range records {
		newest[r.Subject] = r.Seq
		count[r.Subject]++
	}
	return newest, count, err
}

// TestKill kills a process that appends, again and again, and finds after
// each time that every acknowledged record is in the stream, once, where the
// acknowledgement said.
func TestKill(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	dir := t.TempDir()
	acked := map[eventstore.Seq]string{}
	var stream [16]byte
	for round := range rounds {
		before := len(acked)
		killOnce(t, childDir, dir, time.Duration(rand.IntN(60))*time.Millisecond, acked)
		if len(acked) == before {
			t.Fatalf("round %d: the child acknowledged nothing", round)
		}
		log := openEmbedded(t, eventstore.EmbedConfig{Dir: dir})
		if round > 0 && log.StreamID() != stream {
			t.Fatalf("round %d: the stream is another one", round)
		}
		stream = log.StreamID()
		verify(t, log, acked)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rounds, %d records acknowledged, none lost", rounds, len(acked))
}

// killOnce runs the child, which the variable tells what to do, until it has acknowledged something and after more
// has passed, kills it, and adds what it acknowledged to acked.
func killOnce(t *testing.T, variable, dir string, after time.Duration, acked map[eventstore.Seq]string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), variable+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	lines.ReadString('\n') //nolint:errcheck // "open", or the end: the next read tells
	killed := make(chan struct{})
	for n := 0; ; n++ {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) { // an unfinished line is no acknowledgement
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			time.AfterFunc(after, func() {
				close(killed)
				cmd.Process.Kill() //nolint:errcheck // Wait tells how it ended
			})
		}
		f := strings.Fields(line)
		seq, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		acked[eventstore.Seq(seq)] = f[0] + " " + f[2]
	}
	err = cmd.Wait()
	select {
	case <-killed:
	default:
		t.Fatalf("the child ended by itself: %v\n%s", err, stderr.String())
	}
}

// verify reads the whole stream: each acknowledged record is at its place, and
// the records of each subject are numbered without gap or repetition.
func verify(t *testing.T, log eventstore.Log, acked map[eventstore.Seq]string) {
	t.Helper()
	ctx := eventstoretest.Context(t)
	head, err := log.Last(ctx)
	if err != nil {
		t.Fatal(err)
	}
	records, err := eventstoretest.ReadAll(ctx, log, 1, head, 256)
	if err != nil {
		t.Fatal(err)
	}
	next := map[eventstore.Subject]int{}
	found := 0
	for _, r := range records[1:] {
		if string(r.Data) != strconv.Itoa(next[r.Subject]) {
			t.Errorf("record %d of %s holds %s, want %d", r.Seq, r.Subject, r.Data, next[r.Subject])
		}
		next[r.Subject]++
		if what, ok := acked[r.Seq]; ok {
			found++
			if got := string(r.Subject) + " " + string(r.Data); got != what {
				t.Errorf("record %d is %q, acknowledged was %q", r.Seq, got, what)
			}
		}
	}
	if found != len(acked) {
		t.Errorf("%d of %d acknowledged records are in the stream of %d", found, len(acked), head)
	}
}
