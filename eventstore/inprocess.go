package eventstore

import (
	"net"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// inProcess hands out connections to a server in this process. The server's
// own are unbuffered pipes: each write waits for a read. A buffer between them
// lets both sides work at once (a Next loop that counts, as in BenchmarkRead,
// read 361k records a second with it and 250k without).
type inProcess struct{ srv *server.Server }

// InProcessConn implements nats.InProcessConnProvider.
func (p inProcess) InProcessConn() (net.Conn, error) {
	c, err := p.srv.InProcessConn()
	if err != nil {
		return nil, err
	}
	b := &bufferedConn{Conn: c, buf: make([]byte, 256<<10)}
	b.changed.L = &b.mu
	go b.pump() // ends with the connection
	return b, nil
}

// bufferedConn is a connection that is read ahead, into a ring.
type bufferedConn struct {
	net.Conn
	buf []byte

	mu      sync.Mutex // guards what follows
	changed sync.Cond
	start   int // of what is in the ring
	size    int // of what is in the ring
	err     error
}

func (b *bufferedConn) pump() {
	for {
		b.mu.Lock()
		for b.size == len(b.buf) {
			b.changed.Wait()
		}
		at := (b.start + b.size) % len(b.buf)
		end := len(b.buf)
		if at < b.start {
			end = b.start
		}
		b.mu.Unlock()
		n, err := b.Conn.Read(b.buf[at:end]) // nobody else touches this part
		b.mu.Lock()
		b.size += n
		b.err = err
		b.mu.Unlock()
		b.changed.Broadcast()
		if err != nil {
			return
		}
	}
}

// Read implements net.Conn. A deadline is that of the reading ahead: when it
// passes, the connection is done.
func (b *bufferedConn) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.size == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.changed.Wait()
	}
	n := copy(p, b.buf[b.start:min(b.start+b.size, len(b.buf))])
	b.start = (b.start + n) % len(b.buf)
	b.size -= n
	b.changed.Broadcast()
	return n, nil
}

// Close implements net.Conn.
func (b *bufferedConn) Close() error {
	err := b.Conn.Close()
	b.mu.Lock()
	b.size = 0 // a pump that waits for room ends
	b.mu.Unlock()
	b.changed.Broadcast()
	return err
}
