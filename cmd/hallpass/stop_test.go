package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A request that never ends holds a stop up; a second signal doesn't wait.
func TestSecondSignal(t *testing.T) {
	c := exec.Command("hallpass", "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	logs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { _ = c.Process.Kill() }).Stop()
	stdout := bufio.NewReader(out)
	first, err := stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	second, err := stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSpace(strings.TrimPrefix(second, "root token: "))
	conn, err := net.Dial("tcp", strings.TrimPrefix(readyLine.FindStringSubmatch(first)[1], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the server is gone by then
	_, err = io.WriteString(conn, "POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"+
		"Expect: 100-continue\r\nAuthorization: Bearer "+root+"\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	// The server asks for the body: its handler waits for it from now on.
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("got %q, %v, want 100 Continue", line, err)
	}
	began := time.Now()
	_ = c.Process.Signal(syscall.SIGTERM)
	lines := bufio.NewReader(logs)
	for line := ""; !strings.Contains(line, "msg=stopping"); {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatal("it ended before the second signal")
		}
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	rest, _ := io.ReadAll(lines)
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(string(rest), "a second signal") {
		t.Fatalf("it ended with %v and wrote %q", err, rest)
	}
	if took := time.Since(began); took > drainFor/2 {
		t.Fatalf("it took %v to end", took)
	}
}
