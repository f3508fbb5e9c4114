package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hallpass/eventstore/eventstoretest"
)

// patience is how long a script waits for what should come at once.
const patience = 60 * time.Second

// scriptCommands are the scripts' own commands.
//
//	serve NAME [FLAG...]     starts a server on a free port, waits until it is ready, and sets
//	                         HALLPASS_SERVER and NAME_URL to its URL, NAME_ADDR to its address, ROOT to the root secret
//	spawn NAME [FLAG...]     starts a server without waiting
//	ready NAME               waits until a spawned one is ready
//	halt NAME                SIGTERM; it must exit 0. Its output is then in NAME.out and NAME.err
//	crash NAME               SIGKILL
//	! ended NAME             waits until it has ended by itself, with exit code 1; its output as with halt
//	secret VAR               sets VAR to the one secret in the last stdout
//	capture VAR REGEXP       sets VAR to the first group's match in the last stdout
//	onejson                  the last stdout is one JSON value, the last stderr is empty
//	freeport VAR             sets VAR to a loopback address that is free
//	answering URL            waits until URL is answered with 200
//	notready URL             waits until URL is answered with 503
//	metric NAME VALUE        waits until the server at HALLPASS_SERVER shows a metric to have that value
//	logs NAME TEXT           waits until the server has written TEXT to stderr
//	garbage                  appends a record that can't be read to the stream of "nats"
//	certificate CERT KEY     makes a certificate for 127.0.0.1
//	checking NAME URL SECRET checks in a loop, in the background
//	checked NAME             ends that loop: every check was answered, and allowed
//	testclock                builds a hallpass that has --clock, for serve and spawn from then on
//	nats                     sets HALLPASS_NATS_URL to an empty stream on an external NATS server
func scriptCommands(external func() *eventstoretest.Servers) map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"serve": func(ts *testscript.TestScript, _ bool, args []string) { spawn(ts, args); ready(ts, args[0]) },
		"spawn": func(ts *testscript.TestScript, _ bool, args []string) { spawn(ts, args) },
		"ready": func(ts *testscript.TestScript, _ bool, args []string) { ready(ts, args[0]) },
		"halt":  func(ts *testscript.TestScript, _ bool, args []string) { end(ts, args[0], syscall.SIGTERM) },
		"crash": func(ts *testscript.TestScript, _ bool, args []string) { end(ts, args[0], syscall.SIGKILL) },
		"ended": func(ts *testscript.TestScript, _ bool, args []string) { end(ts, args[0], 0) },
		"secret": func(ts *testscript.TestScript, _ bool, args []string) {
			capture(ts, args[0], `(hp_[0-9A-Za-z]{49})`)
		},
		"capture":     func(ts *testscript.TestScript, _ bool, args []string) { capture(ts, args[0], args[1]) },
		"onejson":     oneJSON,
		"freeport":    freePort,
		"answering":   answers(http.StatusOK),
		"notready":    answers(http.StatusServiceUnavailable),
		"logs":        logs,
		"metric":      metric,
		"garbage":     garbage,
		"certificate": certificate,
		"checking":    checking,
		"checked":     checked,
		"testclock":   testclock,
		"nats":        natsURL(external),
	}
}

type (
	serversKey struct{}
	loopsKey   struct{}
)

func setupScript(env *testscript.Env) error {
	running := map[string]*child{}
	loops := map[string]*loop{}
	env.Values[serversKey{}], env.Values[loopsKey{}] = running, loops
	env.Setenv("GORACE", quickExit)
	env.Defer(func() {
		for _, l := range loops {
			l.end()
		}
		for _, c := range running {
			_ = c.cmd.Process.Kill()
			<-c.done
		}
	})
	return nil
}

// child is a server that a script started.
type child struct {
	cmd    *exec.Cmd
	data   string        // its data directory
	first  chan string   // the first line of its stdout; closed without one
	done   chan struct{} // closed when it has ended
	err    error         // how, after done
	stdout bytes.Buffer  // after done
	stderr syncBuffer
}

// quickExit keeps the race detector from sleeping for a second at every exit.
const quickExit = "atexit_sleep_ms=10"

// passed are the variables of the script that its servers see.
var passed = []string{"PATH", "HOME", "TMPDIR", "XDG_CONFIG_HOME", "HALLPASS_ROOT_TOKEN", "HALLPASS_DATA",
	"HALLPASS_NATS_URL", "HALLPASS_MAX_BYTES", "HALLPASS_LISTEN", "HALLPASS_CLUSTER_SECRET", "HALLPASS_NATS_PASSWORD", "GORACE"}

func spawn(ts *testscript.TestScript, args []string) {
	name, flags := args[0], args[1:]
	c := &child{data: "hallpass-data", first: make(chan string, 1), done: make(chan struct{})}
	if i := slices.Index(flags, "--data"); i >= 0 {
		c.data = flags[i+1]
	}
	if !slices.Contains(flags, "--listen") {
		flags = append(flags, "--listen", "127.0.0.1:0")
	}
	c.cmd = exec.Command(cmp.Or(ts.Getenv(programName), "hallpass"), append([]string{"serve"}, flags...)...)
	c.cmd.Dir = ts.MkAbs(".")
	c.cmd.Stderr = &c.stderr
	for _, v := range passed {
		c.cmd.Env = append(c.cmd.Env, v+"="+ts.Getenv(v))
	}
	out, err := c.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(c.cmd.Start())
	ts.Value(serversKey{}).(map[string]*child)[name] = c
	go func() { // ends with the process, which setupScript's Defer ends
		defer close(c.done)
		lines := bufio.NewReader(io.TeeReader(out, &c.stdout))
		if line, err := lines.ReadString('\n'); err == nil {
			c.first <- line
		}
		close(c.first)
		_, _ = io.Copy(io.Discard, lines)
		c.err = c.cmd.Wait()
	}()
}

var readyLine = regexp.MustCompile(`^listening on (https?://\S+)\n$`)

func ready(ts *testscript.TestScript, name string) {
	c := ts.Value(serversKey{}).(map[string]*child)[name]
	select {
	case line := <-c.first:
		m := readyLine.FindStringSubmatch(line)
		if m == nil {
			ts.Fatalf("the first line of %s is %q; it wrote:\n%s", name, line, c.stderr.String())
		}
		_, address, _ := strings.Cut(m[1], "://")
		ts.Setenv(name+"_URL", m[1])
		ts.Setenv(name+"_ADDR", address)
		ts.Setenv("HALLPASS_SERVER", m[1])
	case <-time.After(patience):
		ts.Fatalf("%s is not ready; it wrote:\n%s", name, c.stderr.String())
	}
	if root, err := os.ReadFile(ts.MkAbs(filepath.Join(c.data, rootTokenFile))); err == nil {
		ts.Setenv("ROOT", strings.TrimSpace(string(root)))
	}
}

func end(ts *testscript.TestScript, name string, with syscall.Signal) {
	running := ts.Value(serversKey{}).(map[string]*child)
	c := running[name]
	if c == nil {
		ts.Fatalf("no server %s was started", name)
	}
	delete(running, name)
	if with != 0 {
		_ = c.cmd.Process.Signal(with) // it may have ended
	}
	select {
	case <-c.done:
	case <-time.After(patience):
		_ = c.cmd.Process.Kill()
		ts.Fatalf("%s does not end; it wrote:\n%s", name, c.stderr.String())
	}
	if with == 0 && c.cmd.ProcessState.ExitCode() != exitFailed {
		ts.Fatalf("%s ended with %v; it wrote:\n%s", name, c.err, c.stderr.String())
	}
	if with == syscall.SIGTERM && c.err != nil {
		ts.Fatalf("%s ended with %v; it wrote:\n%s", name, c.err, c.stderr.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs(name+".out"), c.stdout.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(name+".err"), []byte(c.stderr.String()), 0o600))
}

func logs(ts *testscript.TestScript, _ bool, args []string) {
	c := ts.Value(serversKey{}).(map[string]*child)[args[0]]
	until(ts, "written "+args[1], func() bool { return strings.Contains(c.stderr.String(), args[1]) })
}

func capture(ts *testscript.TestScript, name, pattern string) {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("nothing on stdout matches %s", pattern)
	}
	ts.Setenv(name, m[1])
}

func oneJSON(ts *testscript.TestScript, _ bool, _ []string) {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	if err := d.Decode(new(any)); err != nil {
		ts.Fatalf("stdout is no JSON value: %v", err)
	}
	if err := d.Decode(new(any)); err != io.EOF {
		ts.Fatalf("stdout holds more than one JSON value")
	}
	if s := ts.ReadFile("stderr"); s != "" {
		ts.Fatalf("stderr holds %q", s)
	}
}

// syncBuffer may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
