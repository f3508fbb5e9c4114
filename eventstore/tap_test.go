package eventstore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// serverConn is a connection that reads what a server sent.
type serverConn struct {
	net.Conn
	io.Reader
}

func (c serverConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func tapOn(sent io.Reader) (*tap, *reader) {
	r := &reader{inbox: "_INBOX.in", from: 1, wake: make(chan struct{}, 1), started: time.Now(), timer: time.NewTimer(time.Hour)}
	return newTap(serverConn{Reader: sent}, r), r
}

// hmsg is a message with a header, as a server sends it.
func hmsg(subject, reply, header, data string) string {
	header = "NATS/1.0\r\n" + header + "\r\n"
	return fmt.Sprintf("HMSG %s 2 %s %d %d\r\n%s%s\r\n", subject, reply, len(header), len(header)+len(data), header, data)
}

// However what the server sends is cut, the reader gets its messages and the
// library all else, as it was sent.
func TestTap(t *testing.T) {
	large := strings.Repeat("large\r\nMSG x 1 1\r\n", 40_000) // more than fits at first
	library := []string{
		"INFO {\"server_id\":\"x\"}\r\n", "+OK\r\n", "PING\r\n",
		"MSG _INBOX.other.1 1 14\r\n{\"seq\":1}\r\n+OK\r\n",
		hmsg("_INBOX.other.2", "", "A: b\r\n", "$JS.ACK."), "PONG\r\n", "-ERR 'x'\r\n",
	}
	sent := library[0] + library[1] +
		hmsg("hp.e.acme.token.t1", "$JS.ACK.hallpass.c.1.7.1.1700000000123456789.5", "Nats-Msg-Id: 1\r\nNats-Expected-Last-Subject-Sequence: 0\r\n", "one\r\nPING\r\n") +
		library[2] + library[3] +
		"MSG hp.e.acme.token.t2 2 $JS.ACK._.hash.hallpass.c.1.8.2.1700000000124000000.4 " + fmt.Sprint(len(large)) + "\r\n" + large + "\r\n" +
		hmsg("_INBOX.in", "fc.reply", "Status: 100\r\n", "") +
		hmsg("hp.l.n1", "$JS.ACK.hallpass.c.1.9.3.1700000000125000000.3", "Nats-TTL: 30s\r\n", "") +
		library[4] + library[5] + library[6] +
		hmsg("_INBOX.in", "", server.JSLastConsumerSeq+": 3\r\n", "")
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "halved": iotest.HalfReader, "byte by byte": iotest.OneByteReader, "ending with data": iotest.DataErrReader,
	} {
		tap, r := tapOn(cut(strings.NewReader(sent)))
		passed, err := io.ReadAll(bufio.NewReaderSize(tap, 16))
		if want := strings.Join(library, ""); string(passed) != want || err != nil {
			t.Errorf("%s: the library got %q, %v, want %q", name, passed, err, want)
		}
		buf := make([]Record, 4)
		n, err := r.Next(t.Context(), buf)
		want := []Record{
			{Seq: 7, Stored: 1700000000123, Subject: "hp.e.acme.token.t1", Data: []byte("one\r\nPING\r\n")},
			{Seq: 8, Stored: 1700000000124, Subject: "hp.e.acme.token.t2", Data: []byte(large)},
			{Seq: 9, Stored: 1700000000125, Subject: "hp.l.n1", Foreign: "Nats-TTL"},
		}
		if n != len(want) || err != nil {
			t.Fatalf("%s: the reader got %d, %v", name, n, err)
		}
		for i, w := range want {
			g := buf[i]
			if g.Seq != w.Seq || g.Stored != w.Stored || g.Subject != w.Subject || !bytes.Equal(g.Data, w.Data) || g.Foreign != w.Foreign {
				t.Errorf("%s: record %d is %d %d %s of %d bytes, %q", name, i, g.Seq, g.Stored, g.Subject, len(g.Data), g.Foreign)
			}
		}
		if len(r.marks) != 1 || r.marks[0] != (mark{2, "fc.reply"}) || r.seen.Load() == 0 {
			t.Errorf("%s: flow control came to %v, seen at %d", name, r.marks, r.seen.Load())
		}
	}
}

// What is missing is noticed through a tap, too.
func TestTapNoticesWhatIsMissing(t *testing.T) {
	first := "MSG hp.e.x 2 $JS.ACK.s.c.1.7.1.1.0 0\r\n\r\n"
	for name, sent := range map[string]string{
		"a gap":         first + "MSG hp.e.x 2 $JS.ACK.s.c.1.9.3.1.0 0\r\n\r\n",
		"a lost tail":   first + hmsg("_INBOX.in", "", server.JSLastConsumerSeq+": 2\r\n", ""),
		"an odd reply":  first + "MSG hp.e.x 2 $JS.ACK.s.c.x 0\r\n\r\n",
		"an odd header": first + hmsg("hp.e.x", "$JS.ACK.s.c.1.8.2.1.0", "Nats-TTL: 1s\r\nno colon\r\n", ""),
	} {
		tap, r := tapOn(strings.NewReader(sent))
		if got, err := io.ReadAll(tap); len(got) != 0 || err != nil {
			t.Errorf("%s: the library got %q, %v", name, got, err)
		}
		buf := make([]Record, 4)
		if n, err := r.Next(t.Context(), buf); n != 1 || err != nil || buf[0].Seq != 7 {
			t.Errorf("%s: first %d, %v", name, n, err)
		}
		if n, err := r.Next(t.Context(), buf); n != 0 || !errors.Is(err, ErrLost) {
			t.Errorf("%s: then %d, %v", name, n, err)
		}
	}
}

func TestTapRefusesWhatIsNoProtocol(t *testing.T) {
	for _, sent := range []string{
		"MSG a 1 -1\r\n", "MSG a 1 99999999999\r\n", "MSG a 1 x\r\n", "MSG a\r\n", "MSG a 1 b c 1\r\n", "HMSG a 1 b 2 1\r\n", "HMSG a 1 1\r\n",
		"HMSG a 1 b x 1\r\n", strings.Repeat("x", 2<<20),
	} {
		tap, _ := tapOn(strings.NewReader(sent))
		if _, err := io.ReadAll(tap); !errors.Is(err, errProtocol) {
			t.Errorf("%.20q…: got %v", sent, err)
		}
	}
}

// A header that makes a record foreign is found in what is sent as it is in
// what the library makes of it.
func FuzzForeignIn(f *testing.F) {
	for _, h := range []string{
		"Nats-Msg-Id: 1\r\n", "nats-ttl:1\r\n", "A: b\r\nNats-Rollup: sub\r\nNats-Marker-Reason: x\r\n", "Nats-Schedule-Target: x\r\n",
		"Nats-TTL : 1\r\n", " Nats-TTL: 1\r\n", "Nats-TTL\r\n", ":\r\n", "Nats-Schedule-very-very-very-very-long: x\r\n",
	} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		header := []byte("NATS/1.0\r\n" + lines + "\r\n")
		h, err := nats.DecodeHeadersMsg(header)
		if err != nil {
			return
		}
		if got, err := foreignIn(header); got != foreignHeader(h) || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, foreignHeader(h))
		}
	})
}
