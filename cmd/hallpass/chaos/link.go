package chaos

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Direction is which way of a link is meant.
type Direction uint8

// The ways of a link between a first and a second side.
const (
	There Direction = 1 << iota // from the first to the second
	Back                        // from the second to the first
	Both  = There | Back
)

// Link carries the TCP connections between two sides, whichever of them dials,
// and spoils them when told to. It stands for a network: bytes are never lost
// within a connection, but held back for as long as the link is cut.
type Link struct {
	there, back way
	running     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	doors []net.Listener
	open  map[*connection]struct{}
	ended bool
}

// NewLink returns a link without doors. Close ends it.
func NewLink() *Link {
	return &Link{open: map[*connection]struct{}{}, there: way{changed: make(chan struct{})}, back: way{changed: make(chan struct{})}}
}

// Door opens a port on 127.0.0.1 that leads to target. Dialled is the
// direction in which whoever comes through it looks: There for the first side.
func (l *Link) Door(target string, dialled Direction) (address string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("opening a port for a link: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doors = append(l.doors, ln)
	l.running.Go(func() { l.accept(ln, target, dialled) })
	return ln.Addr().String(), nil
}

// Cut lets nothing through in the given directions from here on; at most what
// is being written at this moment still passes. Connections stay open, and new
// ones are taken, so that neither side sees an error.
func (l *Link) Cut(d Direction) { l.each(d, func(w *way) { w.cut = true }) }

// Delay has everything arrive that much later in the given directions.
func (l *Link) Delay(d Direction, by time.Duration) { l.each(d, func(w *way) { w.delay = by }) }

// Heal ends every cut and delay. What was held back goes on.
func (l *Link) Heal() { l.each(Both, func(w *way) { w.cut, w.delay = false, 0 }) }

func (l *Link) each(d Direction, f func(*way)) {
	if d&There != 0 {
		l.there.change(f)
	}
	if d&Back != 0 {
		l.back.change(f)
	}
}

// Reset breaks every connection with a TCP reset. New ones work.
func (l *Link) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		c.reset()
	}
}

// Close ends the link and everything in it.
func (l *Link) Close() {
	l.mu.Lock()
	l.ended = true
	for _, ln := range l.doors {
		_ = ln.Close() // it stops accepting either way
	}
	for c := range l.open {
		c.reset()
	}
	l.mu.Unlock()
	l.running.Wait()
}

func (l *Link) accept(ln net.Listener, target string, dialled Direction) {
	for {
		in, err := ln.Accept()
		if err != nil {
			return
		}
		// A target that isn't there looks like a closed port: at once.
		out, err := net.DialTimeout("tcp", target, 5*time.Second)
		if err != nil {
			_ = in.Close() // nothing was sent
			continue
		}
		l.carry(in, out, dialled)
	}
}

func (l *Link) carry(in, out net.Conn, dialled Direction) {
	c := &connection{in: in, out: out, over: make(chan struct{})}
	up, down := &l.there, &l.back
	if dialled == Back {
		up, down = down, up
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		c.reset()
		return
	}
	l.open[c] = struct{}{}
	var ways sync.WaitGroup
	ways.Go(func() { c.pass(out, in, up) })
	ways.Go(func() { c.pass(in, out, down) })
	l.running.Go(func() {
		ways.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, c)
	})
}

// connection is one TCP connection through a link.
type connection struct {
	in, out net.Conn
	once    sync.Once
	over    chan struct{} // closed when it is over
}

func (c *connection) end() {
	c.once.Do(func() {
		close(c.over)
		_ = c.in.Close()  // it is over
		_ = c.out.Close() // it is over
	})
}

func (c *connection) reset() {
	for _, side := range []net.Conn{c.in, c.out} {
		if tcp, ok := side.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // closing it resets it
		}
	}
	c.end()
}

// chunk is bytes on their way.
type chunk struct {
	data []byte // nil: the end of what is sent
	came time.Time
}

// pass carries one direction until the connection is over. Up to 64 chunks wait
// within; then the sender's own buffers fill, as on a dead network.
func (c *connection) pass(to, from net.Conn, w *way) {
	defer c.end()
	queue := make(chan chunk, 64)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer c.end() // lets the reading end
	reading.Go(func() { c.read(from, queue) })
	for {
		select {
		case k := <-queue:
			if !w.wait(k.came, c.over) || k.data == nil {
				return
			}
			if _, err := to.Write(k.data); err != nil {
				return
			}
		case <-c.over:
			return
		}
	}
}

func (c *connection) read(from net.Conn, queue chan<- chunk) {
	for {
		buf := make([]byte, 16<<10)
		n, err := from.Read(buf)
		if n == 0 && err == nil {
			continue
		}
		k := chunk{came: time.Now()}
		if n > 0 {
			k.data = buf[:n]
		}
		select {
		case queue <- k:
		case <-c.over:
			return
		}
		if k.data == nil {
			return
		}
	}
}

// way is one direction of a link.
type way struct {
	mu      sync.Mutex // guards what follows
	cut     bool
	delay   time.Duration
	changed chan struct{} // closed with the next change
}

func (w *way) change(f func(*way)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w)
	close(w.changed)
	w.changed = make(chan struct{})
}

// wait returns when what came then may go on; false if over is closed before.
func (w *way) wait(came time.Time, over <-chan struct{}) bool {
	for {
		w.mu.Lock()
		cut, left, changed := w.cut, time.Until(came.Add(w.delay)), w.changed
		w.mu.Unlock()
		if !cut && left <= 0 {
			return true
		}
		var due <-chan time.Time
		if !cut {
			due = time.After(left)
		}
		select {
		case <-due:
		case <-changed:
		case <-over:
			return false
		}
	}
}
