package eventstore

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// tap is a reader's connection to the server in this process. It takes the
// deliveries of the reader's consumer out of what the server sends, and leaves
// all else to the client library, which made the connection and keeps it. The
// library makes seven allocations of a delivery, and parses headers into a map
// that nobody asks for: a replay on two cores waits for that longer than for
// the server. Servers elsewhere may want TLS, which hides what they send: their
// deliveries come through the library.
//
// Lines and messages are those of
// https://docs.nats.io/reference/reference-protocols/nats-protocol.
type tap struct {
	net.Conn
	reader *reader

	// Of Read alone.
	in       []byte
	from, to int  // what was read, and not yet taken or passed on, is in[from:to]
	fresh    bool // some of it came since the reader last noted that something did
	pass     int  // so many bytes of it are the library's
}

const (
	tapBuffer   = 256 << 10
	longestLine = 1 << 20
	longestMsg  = server.MAX_PAYLOAD_MAX_SIZE
)

var errProtocol = errors.New("eventstore: what the server sends is no NATS protocol")

func newTap(c net.Conn, r *reader) *tap {
	return &tap{Conn: c, reader: r, in: make([]byte, tapBuffer)}
}

// Read implements net.Conn: it returns what is the library's.
func (t *tap) Read(p []byte) (int, error) {
	for t.pass == 0 {
		if whole, err := t.next(); err != nil {
			return 0, err
		} else if whole {
			continue
		}
		if err := t.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, t.in[t.from:t.from+t.pass])
	t.from += n
	t.pass -= n
	return n, nil
}

// more reads on.
func (t *tap) more() error {
	if t.from > 0 || t.to == len(t.in) {
		in := t.in
		if t.to-t.from > len(in)/2 {
			in = make([]byte, 2*len(in))
		}
		t.to = copy(in, t.in[t.from:t.to])
		t.in, t.from = in, 0
	}
	n, err := t.Conn.Read(t.in[t.to:])
	if t.to += n; n > 0 {
		t.fresh = true
		return nil // an error comes again
	}
	return err
}

// next takes the next message, if it is the reader's, or else passes on the
// line, or message, that is next. False: not all of it is here.
func (t *tap) next() (whole bool, err error) {
	in := t.in[t.from:t.to]
	line := bytes.IndexByte(in, '\n') + 1
	if line == 0 {
		if len(in) > longestLine {
			return false, errProtocol
		}
		return false, nil
	}
	m, ok, err := parseFrame(in[:line])
	switch {
	case err != nil:
		return false, err
	case !ok:
		t.pass = line
		return true, nil
	case len(in) < line+m.size+len("\r\n"):
		return false, nil
	}
	size := line + m.size + len("\r\n")
	if string(m.subject) != t.reader.inbox && !bytes.HasPrefix(m.reply, acks) {
		t.pass = size
		return true, nil
	}
	err = t.take(&m, in[line:line+m.size])
	t.from += size
	return true, err
}

var space = []byte(" ")

// acks is what the reply subjects of deliveries begin with.
var acks = []byte("$JS.ACK.")

// take gives the reader a message, of which nothing is kept.
func (t *tap) take(m *frame, payload []byte) error {
	if t.fresh {
		t.reader.seen.Store(int64(time.Since(t.reader.started)))
		t.fresh = false
	}
	header, data := payload[:m.header], payload[m.header:]
	if string(m.subject) != t.reader.inbox {
		d, ok := parseDelivery(m.reply)
		foreign, err := foreignIn(header)
		if err != nil {
			t.reader.fail(fmt.Errorf("%w: the header of record %d: %w", ErrLost, d.seq, err))
			return nil
		}
		t.reader.deliver(d, ok, Record{
			Seq: d.seq, Stored: d.stored, Subject: Subject(m.subject), Data: bytes.Clone(data), Foreign: foreign,
		})
		return nil
	}
	control := nats.NewMsg(string(m.subject))
	control.Reply = string(m.reply)
	if m.header > 0 {
		h, err := nats.DecodeHeadersMsg(header)
		if err != nil {
			return err
		}
		control.Header = h
	}
	t.reader.control(control)
	return nil
}

// foreignIn is foreignHeader of a header as it is sent. Its error is that with
// which the library gives up a reader, too.
func foreignIn(header []byte) (string, error) {
	_, lines, _ := bytes.Cut(header, []byte("\r\n")) // behind NATS/1.0
	for line := range bytes.Lines(lines) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 { // the header's end
			break
		}
		key, _, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return "", nats.ErrBadHeaderMsg
		}
		if isForeign(string(key[:min(len(key), 32)])) { // a string of 32 bytes is not allocated, and none that is longer is foreign by its end
			h, err := nats.DecodeHeadersMsg(header)
			return foreignHeader(h), err
		}
	}
	return "", nil
}

// frame is the line before a message.
type frame struct {
	subject, reply []byte
	header, size   int // bytes that follow: of the header, and of it and the data
}

// parseFrame reads MSG <subject> <sid> [reply] <size> and HMSG <subject> <sid>
// [reply] <size of the header> <size of both>; false: it is another line.
func parseFrame(line []byte) (m frame, ok bool, _ error) {
	var sizes int
	switch {
	case bytes.HasPrefix(line, []byte("MSG ")):
		sizes = 1
	case bytes.HasPrefix(line, []byte("HMSG ")):
		sizes = 2
	default:
		return m, false, nil
	}
	var fields [6][]byte
	n := 0
	for rest, more := bytes.TrimRight(line, "\r\n"), true; more; n++ {
		if n == len(fields) {
			return m, false, errProtocol
		}
		fields[n], rest, more = bytes.Cut(rest, space)
	}
	switch n - sizes {
	case 4: // the word, subject, sid, reply
		m.reply = fields[3]
	case 3:
	default:
		return m, false, errProtocol
	}
	m.subject = fields[1]
	var err error
	if m.size, err = strconv.Atoi(string(fields[n-1])); err != nil || m.size < 0 || m.size > longestMsg {
		return m, false, errProtocol
	}
	if sizes == 2 {
		if m.header, err = strconv.Atoi(string(fields[n-2])); err != nil || m.header < 0 || m.header > m.size {
			return m, false, errProtocol
		}
	}
	return m, true, nil
}

// tapDialer is nats.CustomDialer of a reader's connection to a listener of this
// process.
type tapDialer struct{ reader *reader }

// Dial implements nats.CustomDialer.
func (d tapDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, connectTimeout)
	if err != nil {
		return nil, err
	}
	return newTap(c, d.reader), nil
}

// tapInProcess is nats.InProcessConnProvider of a reader's connection.
type tapInProcess struct {
	inProcess
	reader *reader
}

// InProcessConn implements nats.InProcessConnProvider.
func (p tapInProcess) InProcessConn() (net.Conn, error) {
	c, err := p.inProcess.InProcessConn()
	if err != nil {
		return nil, err
	}
	return newTap(c, p.reader), nil
}
