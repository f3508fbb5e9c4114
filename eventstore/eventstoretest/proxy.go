package eventstoretest

import (
	"net"
	"sync"
	"testing"
)

// Proxy is a TCP proxy on loopback whose links can be cut or held silent. It
// ends with the test.
type Proxy struct {
	target string
	l      net.Listener
	wg     sync.WaitGroup

	mu      sync.Mutex // guards what follows
	conns   map[net.Conn]struct{}
	ended   bool
	answers gate // bytes from the target
	asks    gate // bytes to the target
}

// gate is open when nil, else closed until the channel is.
type gate chan struct{}

// NewProxy starts a proxy to target, a host:port.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, l: l, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close() //nolint:errcheck // accept ends either way
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// HoldAnswers lets nothing come back from the target until Cut or Release.
// What is sent to it still arrives.
func (p *Proxy) HoldAnswers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answers == nil {
		p.answers = make(gate)
	}
}

// Hold lets nothing pass in either direction until Cut or Release.
func (p *Proxy) Hold() {
	p.HoldAnswers()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asks == nil {
		p.asks = make(gate)
	}
}

// Release ends Hold and HoldAnswers; what was held goes on.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range []*gate{&p.answers, &p.asks} {
		if *g != nil {
			close(*g)
			*g = nil
		}
	}
}

// Cut breaks every connection; what was held is lost. New ones work.
func (p *Proxy) Cut() {
	p.mu.Lock()
	for c := range p.conns {
		c.Close() //nolint:errcheck // it is cut
	}
	p.conns = map[net.Conn]struct{}{}
	p.mu.Unlock()
	p.Release()
}

func (p *Proxy) accept() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close() //nolint:errcheck // nothing was sent
			continue
		}
		p.mu.Lock()
		if p.ended {
			in.Close()  //nolint:errcheck // nothing was sent
			out.Close() //nolint:errcheck // nothing was sent
		}
		p.conns[in], p.conns[out] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(out, in, func() gate { return p.asks }) })
		p.wg.Go(func() { p.copy(in, out, func() gate { return p.answers }) })
	}
}

// copy passes bytes on while the gate, asked for under mu, is open.
func (p *Proxy) copy(to, from net.Conn, state func() gate) {
	defer to.Close()   //nolint:errcheck // the link is over
	defer from.Close() //nolint:errcheck // the link is over
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		g := state()
		p.mu.Unlock()
		if g != nil {
			<-g
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
