package chaos

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// peer is one end of a link: lines it reads come on a channel.
type peer struct {
	net.Conn
	lines chan string
	ended chan error
}

func newPeer(c net.Conn) *peer {
	p := &peer{Conn: c, lines: make(chan string, 16), ended: make(chan error, 1)}
	go func() {
		in := bufio.NewScanner(c)
		for in.Scan() {
			p.lines <- in.Text()
		}
		p.ended <- in.Err()
	}()
	return p
}

func (p *peer) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(p, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (p *peer) hears(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-p.lines:
		if got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	case err := <-p.ended:
		t.Fatalf("the connection ended (%v) before %q", err, want)
	}
}

func (p *peer) heardNothing(t *testing.T) {
	t.Helper()
	select {
	case got := <-p.lines:
		t.Fatalf("%q came through", got)
	default:
	}
}

// linked returns both ends of a connection through a link, made from side by.
func linked(t *testing.T, by Direction) (l *Link, first, second *peer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // one connection was wanted
	l = NewLink()
	t.Cleanup(l.Close)
	door, err := l.Door(ln.Addr().String(), by)
	if err != nil {
		t.Fatal(err)
	}
	in, err := net.Dial("tcp", door)
	if err != nil {
		t.Fatal(err)
	}
	out, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = out.Close()
	})
	first, second = newPeer(in), newPeer(out)
	if by == Back {
		first, second = second, first
	}
	first.say(t, "hello") // once it is there, the link knows the connection
	second.hears(t, "hello")
	return l, first, second
}

// What a link does is in terms of its sides, whichever of them dialled.
func TestLinkCutsEachWay(t *testing.T) {
	for _, by := range []Direction{There, Back} {
		l, first, second := linked(t, by)
		first.say(t, "a")
		second.hears(t, "a")
		second.say(t, "b")
		first.hears(t, "b")

		l.Cut(There)
		first.say(t, "held")
		second.say(t, "free")
		first.hears(t, "free") // the other way is open
		second.heardNothing(t)
		l.Heal()
		second.hears(t, "held") // nothing is lost

		l.Cut(Back)
		second.say(t, "held too")
		first.say(t, "free too")
		second.hears(t, "free too")
		first.heardNothing(t)
		l.Heal()
		first.hears(t, "held too")
	}
}

// A cut looks like silence: what is already known to be closed on one side is
// not told to the other, and new connections are taken.
func TestLinkCutIsNoError(t *testing.T) {
	l, first, second := linked(t, There)
	l.Cut(Both)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second.say(t, "anyone?") // does not fail
	select {
	case err := <-second.ended:
		t.Fatalf("the end came through the cut: %v", err)
	default:
	}
	in, err := net.Dial("tcp", l.doors[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in.Close() //nolint:errcheck // it was taken
	l.Heal()
	if err := <-second.ended; err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
}

func TestLinkDelays(t *testing.T) {
	l, first, second := linked(t, There)
	const by = 30 * time.Millisecond
	l.Delay(There, by)
	began := time.Now()
	first.say(t, "late")
	second.hears(t, "late")
	if took := time.Since(began); took < by {
		t.Errorf("it came after %v", took)
	}
	l.Delay(There, time.Hour)
	first.say(t, "much later")
	second.say(t, "now")
	first.hears(t, "now")
	second.heardNothing(t)
	l.Heal()
	second.hears(t, "much later")
}

func TestLinkResets(t *testing.T) {
	l, first, second := linked(t, There)
	l.Cut(Both)
	first.say(t, "lost")
	l.Reset()
	for _, p := range []*peer{first, second} {
		if err := <-p.ended; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the connection ended with %v", err)
		}
	}
	second.heardNothing(t)
}

// Close ends what is held back, too.
func TestLinkCloses(t *testing.T) {
	l, first, _ := linked(t, There)
	l.Cut(Both)
	first.say(t, "never")
	l.Close()
	if _, err := net.DialTimeout("tcp", l.doors[0].Addr().String(), time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("dialling a closed link: %v", err)
	}
}
