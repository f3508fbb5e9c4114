package thinger

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// at serves one request at this door, without the network.
func (w *world) at(out http.ResponseWriter, bearer, method, path string, body io.Reader) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Authorization", "Bearer "+bearer)
	New(w.svc, Config{}).ServeHTTP(out, r)
}

// silent is a body that fails the test if it is read.
type silent struct{ t testing.TB }

func (s silent) Read([]byte) (int, error) {
	s.t.Error("the body is read")
	return 0, io.EOF
}

// late is a body that comes when then is done.
type late struct {
	then func()
	body io.Reader
}

func (l *late) Read(p []byte) (int, error) {
	if l.then != nil {
		l.then()
		l.then = nil
	}
	return l.body.Read(p)
}

// between calls then once, after the caller was judged and before the answer is
// made: when the door asks for time to write.
type between struct {
	*httptest.ResponseRecorder
	then func()
}

func (b *between) SetWriteDeadline(time.Time) error {
	if b.then != nil {
		b.then()
		b.then = nil
	}
	return nil
}

// Bodies are read for who is known, and where there is one to be had.
func TestABodyIsReadForWhoIsKnown(t *testing.T) {
	w := newWorld(t)
	bearer := w.create("t1", "")
	for _, r := range [][2]string{{"POST", tokens}, {"PUT", tokens + "/t1"}, {"POST", tokens + "/t1/clone"}, {"DELETE", tokens}, {"DELETE", tokens + "/t1"}, {"GET", tokens}} {
		rec := httptest.NewRecorder()
		if w.at(rec, "nobody", r[0], r[1], silent{t}); rec.Code != 401 {
			t.Errorf("%s %s: %d %s", r[0], r[1], rec.Code, rec.Body)
		}
	}
	for _, method := range []string{"GET", "DELETE"} {
		rec := httptest.NewRecorder()
		if w.at(rec, w.home, method, tokens+"/t1", silent{t}); rec.Code != 200 {
			t.Errorf("%s: %d %s", method, rec.Code, rec.Body)
		}
	}
	rec := httptest.NewRecorder()
	if w.at(rec, bearer, "POST", "/v1/users/home/guard/Device/d1?action=X", silent{t}); rec.Code != 401 {
		t.Errorf("the guard: %d", rec.Code)
	}
}

// A bearer that ends while a body comes, or while an answer is made, gets nothing.
func TestABearerThatEndsMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.create("t1", "")
	end := func() { w.native("DELETE", "/v1/accounts/home/tokens/brief", "") }
	const everything = `{"allow":[{"resource":"/","actions":["*"]}]}`
	for _, r := range [][3]string{
		{"POST", tokens, `{"token":"made","name":"N","enabled":true}`}, {"PUT", tokens + "/t1", `{"name":"x"}`}, {"DELETE", tokens, `["t1"]`},
	} {
		rec := httptest.NewRecorder()
		w.at(rec, w.issue("home", "brief", everything), r[0], r[1], &late{end, strings.NewReader(r[2])})
		if rec.Code != 401 {
			t.Errorf("%s %s: %d %s", r[0], r[1], rec.Code, rec.Body)
		}
	}
	for _, path := range []string{tokens, tokens + "/t1"} {
		out := &between{httptest.NewRecorder(), end}
		if w.at(out, w.issue("home", "brief", everything), "GET", path, nil); out.Code != 401 || strings.Contains(out.Body.String(), "t1") {
			t.Errorf("GET %s: %d %s", path, out.Code, out.Body)
		}
	}
}
