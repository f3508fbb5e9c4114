package chaos

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Process is one life of one node.
type Process struct {
	Node string // its name
	Life string // "n1#2": the second process that ran as n1
	URL  string // of its API; a port of this life's own

	cmd    *exec.Cmd
	ended  chan struct{} // closed when it is gone
	log    string        // path of what it wrote to stderr
	from   int           // where in it this life begins
	halted sync.Mutex    // guards stopped
	is     bool          // it is stopped
}

// starter starts processes, all from one thread: Linux ends children with the
// thread that made them.
type starter struct {
	jobs chan func()
	done chan struct{}
}

func newStarter() *starter {
	s := &starter{jobs: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

func (s *starter) start(c *exec.Cmd) error {
	failed := make(chan error)
	s.jobs <- func() { failed <- c.Start() }
	return <-failed
}

func (s *starter) close() {
	close(s.jobs)
	<-s.done
}

// run starts a process and waits until it says that it is ready.
func (s *starter) run(ctx context.Context, node, life, log string, c *exec.Cmd) (*Process, error) {
	p, ready, err := s.begin(node, life, log, c)
	if err != nil {
		return nil, err
	}
	select {
	case url, ok := <-ready:
		if ok {
			p.URL = url
			return p, nil
		}
		err = fmt.Errorf("%s ended before it was ready: %s", life, lastLine(log))
	case <-ctx.Done():
		err = fmt.Errorf("%s is not ready: %w: %s", life, context.Cause(ctx), lastLine(log))
	}
	p.Kill()
	return nil, err
}

// begin starts a process. Ready brings its URL, or is closed.
func (s *starter) begin(node, life, log string, c *exec.Cmd) (*Process, <-chan string, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("starting %s: %w", life, err)
	}
	defer f.Close() //nolint:errcheck // the child has its own
	before, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, nil, fmt.Errorf("starting %s: %w", life, err)
	}
	c.Stderr, c.SysProcAttr = f, apart()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("starting %s: %w", life, err)
	}
	c.Stdout = in
	err = s.start(c)
	_ = in.Close() // the child has its own
	if err != nil {
		_ = out.Close() // nothing is in it
		return nil, nil, fmt.Errorf("starting %s: %w", life, err)
	}
	p := &Process{Node: node, Life: life, cmd: c, ended: make(chan struct{}), log: log, from: int(before)}
	ready := make(chan string, 1)
	go func() { // ends with the process
		defer close(p.ended)
		defer close(ready)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
				ready <- url
			}
		}
		_, _ = io.Copy(io.Discard, out) // a line that was too long
		_ = out.Close()                 // read to its end
		_ = c.Wait()                    // it was killed, or its log says why
	}()
	return p, ready, nil
}

// Stop has the process stand still until Continue.
func (p *Process) Stop() error { return p.halt(true) }

// Continue ends Stop.
func (p *Process) Continue() error { return p.halt(false) }

func (p *Process) halt(is bool) error {
	p.halted.Lock()
	defer p.halted.Unlock()
	if p.is == is {
		return nil
	}
	signal := resume
	if is {
		signal = stop
	}
	if err := signal(p.cmd.Process); err != nil {
		return fmt.Errorf("stopping or continuing %s: %w", p.Life, err)
	}
	p.is = is
	return nil
}

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return // nothing is there to wait for
	}
	<-p.ended
}

// Alive tells whether the process has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Interrupt asks the process to stop in good order and waits until it has, or
// patience is over.
func (p *Process) Interrupt(patience time.Duration) error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stopping %s: %w", p.Life, err)
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s did not stop within %v", p.Life, patience)
	}
}

// storeFailed is what the process says of its server's store having failed, as
// no fault here does to it; "" if it doesn't.
func (p *Process) storeFailed() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	_, data, _ = bytes.Cut(data[min(p.from, len(data)):], []byte("ritical write error"))
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return string(line)
}

// lastLine is what a log ends with.
func lastLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}
