package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"hallpass/api/client"
	"hallpass/api/wire"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// A node that stands alone has no other copy: over a damaged one it does not
// start, and says what can be done. Told to go on with what there is, it does,
// and needs not be told again.
func TestDamagedAlone(t *testing.T) {
	t.Parallel() // it mostly waits
	if testing.Short() {
		t.Skip("it files 10 MB")
	}
	whole := filepath.Join(t.TempDir(), "whole")
	log, err := eventstore.OpenEmbedded(t.Context(), eventstore.EmbedConfig{Dir: whole, NoSync: true, MaxBytes: 30 << 20})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, log, 2300, 4000)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	p := startAlone(t, whole)
	p.wantReady()
	p.end(syscall.SIGTERM)
	if n := len(eventstoretest.Blocks(t, whole)); n < 3 {
		t.Fatalf("there are %d blocks", n)
	}
	for name, c := range map[string]struct {
		damage func(dir string)
		says   string
		final  bool // there is no going on
	}{
		"a flipped bit":           {func(dir string) { rot(t, eventstoretest.Blocks(t, dir)[2]) }, "is damaged", false},
		"the first block flipped": {func(dir string) { rot(t, eventstoretest.Blocks(t, dir)[0]) }, "is damaged", false},
		"a bit, and the index":    {func(dir string) { eventstoretest.FlipBit(t, dir, 0) }, "is damaged", false},
		"a removed block":         {func(dir string) { eventstoretest.RemoveBlock(t, dir, 1) }, "is damaged", false},
		"the first block removed": {func(dir string) { eventstoretest.RemoveBlock(t, dir, 0) }, "lacks its first records", true},
		"a cut tail":              {func(dir string) { eventstoretest.CutTail(t, dir, 100_000) }, "it ends after", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(dir, "keyring"), 0o600); err != nil { // CopyFS keeps no modes
				t.Fatal(err)
			}
			c.damage(dir)
			refused := startAlone(t, dir).wantRefused()
			t.Log(refused)
			if !strings.Contains(refused, c.says) || !strings.Contains(refused, "backup") {
				t.Errorf("it says %s", refused)
			}
			if c.final {
				return
			}
			m := regexp.MustCompile(`--give-up ([0-9]+:[0-9a-f]{64})`).FindStringSubmatch(refused)
			if m == nil {
				t.Fatal("it names no way to go on")
			}
			startAlone(t, dir, "--give-up", "1:"+strings.Repeat("0", 64)).wantRefused() // another mark is none
			for _, flags := range [][]string{{"--give-up", m[1]}, nil} {
				p := startAlone(t, dir, flags...)
				p.wantReady()
				p.write(1)
				p.end(syscall.SIGTERM)
			}
		})
	}
}

// However a node that stands alone ends, with changes being made, it starts
// again: what it noted beside its data is never ahead of them.
func TestStartsAgainAlone(t *testing.T) {
	t.Parallel() // it mostly waits
	rounds := 6
	if os.Getenv("HALLPASS_DAMAGE") != "" {
		rounds = 20
	}
	dir := t.TempDir()
	for round := range rounds {
		p := startAlone(t, dir)
		p.wantReady()
		acked := make(chan int, 1)
		go func() { acked <- p.write(1000) }()
		<-p.wrote
		how := syscall.SIGKILL
		if round%3 == 2 {
			how = syscall.SIGTERM
		}
		p.end(how)
		if n := <-acked; n == 0 {
			t.Errorf("round %d: nothing was written", round)
		}
	}
	startAlone(t, dir).wantReady()
}

// alone is a running "hallpass serve" on a data directory of its own.
type alone struct {
	t      *testing.T
	cmd    *exec.Cmd
	dir    string
	url    string
	stdout *bufio.Reader
	stderr bytes.Buffer
	wrote  chan struct{} // closed when a change was answered
}

func startAlone(t *testing.T, dir string, flags ...string) *alone {
	t.Helper()
	p := &alone{t: t, dir: dir, wrote: make(chan struct{})}
	p.cmd = exec.Command("hallpass", append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir}, flags...)...)
	p.cmd.Env = append(os.Environ(), "GORACE="+quickExit)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	return p
}

func (p *alone) wantReady() {
	p.t.Helper()
	line, _ := p.stdout.ReadString('\n')
	m := readyLine.FindStringSubmatch(line)
	if m == nil {
		_ = p.cmd.Wait()
		p.t.Fatalf("it did not start: %s", p.stderr.String())
	}
	p.url = m[1]
}

// wantRefused waits until it has ended with exit code 1 and without a ready
// line, and returns the last line that it wrote.
func (p *alone) wantRefused() string {
	p.t.Helper()
	out, _ := io.ReadAll(p.stdout)
	var exit *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed || len(out) > 0 {
		p.t.Fatalf("it ended with %v and wrote %q, %s", err, out, p.stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	return lines[len(lines)-1]
}

func (p *alone) end(how syscall.Signal) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(how)
	_, _ = io.Copy(io.Discard, p.stdout)
	if err := p.cmd.Wait(); err != nil && how == syscall.SIGTERM {
		p.t.Errorf("it ended with %v: %s", err, p.stderr.String())
	}
}

// write issues up to n tokens, until one is refused, and returns how many were
// answered.
func (p *alone) write(n int) (acked int) {
	p.t.Helper()
	root, err := os.ReadFile(filepath.Join(p.dir, rootTokenFile))
	if err != nil {
		p.t.Error(err)
		return 0
	}
	c, err := client.New(client.Config{Server: p.url, Token: client.Secret(strings.TrimSpace(string(root)))})
	if err != nil {
		p.t.Error(err)
		return 0
	}
	for ; acked < n; acked++ {
		id := fmt.Sprintf("w%d-%d", p.cmd.Process.Pid, acked)
		if _, _, err := c.IssueToken(p.t.Context(), "root", wire.IssueToken{ID: id}); err != nil {
			if n == 1 {
				p.t.Error(err)
			}
			break
		}
		if acked == 0 {
			close(p.wrote)
		}
	}
	return acked
}

// rot flips a bit in a block: a server that ended in good order looks at it no
// sooner than it is read.
func rot(t *testing.T, block string) {
	t.Helper()
	b, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(block, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
