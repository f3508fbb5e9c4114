package nbiot

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// at serves one request at this door, without the network.
func (w *world) at(out http.ResponseWriter, token, method, path string, body io.Reader) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("X-API-Token", token)
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

// Bodies are read for sessions alone, and where there is one to be had.
func TestABodyIsReadForWhoIsKnown(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	for _, token := range []string{"", strings.Repeat("0", 64), a, w.root} {
		for _, r := range [][2]string{{"POST", "/tokens"}, {"PATCH", "/tokens/" + a}, {"PATCH", "/tokens/" + a + "/tags"}, {"DELETE", "/tokens/" + a}, {"GET", "/tokens"}} {
			rec := httptest.NewRecorder()
			if w.at(rec, token, r[0], r[1], silent{t}); rec.Code != 401 {
				t.Errorf("%s %s: %d %s", r[0], r[1], rec.Code, rec.Body)
			}
		}
	}
	for _, method := range []string{"GET", "DELETE"} {
		rec := httptest.NewRecorder()
		if w.at(rec, w.session, method, "/tokens/"+a, silent{t}); rec.Code/100 != 2 {
			t.Errorf("%s: %d %s", method, rec.Code, rec.Body)
		}
	}
	rec := httptest.NewRecorder()
	if w.at(rec, a, "POST", "/guard/teams", silent{t}); rec.Code != 401 {
		t.Errorf("the guard: %d", rec.Code)
	}
}

// A session that ends while a body comes, or while an answer is made, gets
// nothing.
func TestASessionThatEndsMeanwhile(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams","write":false,"tags":{"name":"x"}}`)
	brief := func() string {
		return w.native(w.root, "POST", "/v1/sessions", `{"account":"acme"}`)["secret"].(string)
	}
	for _, r := range [][3]string{
		{"POST", "/tokens", teams}, {"PATCH", "/tokens/" + a, `{"write":true}`}, {"PATCH", "/tokens/" + a + "/tags", `{"b":"c"}`},
	} {
		session := brief()
		rec := httptest.NewRecorder()
		w.at(rec, session, r[0], r[1], &late{func() { w.native(session, "POST", "/v1/self/revoke", "") }, strings.NewReader(r[2])})
		if rec.Code != 401 {
			t.Errorf("%s %s: %d %s", r[0], r[1], rec.Code, rec.Body)
		}
	}
	for _, path := range []string{"/tokens/" + a + "/tags", "/tokens/" + a + "/tags/name"} {
		session := brief()
		out := &between{httptest.NewRecorder(), func() { w.native(session, "POST", "/v1/self/revoke", "") }}
		if w.at(out, session, "GET", path, nil); out.Code != 401 || strings.Contains(out.Body.String(), `"x"`) {
			t.Errorf("GET %s: %d %s", path, out.Code, out.Body)
		}
	}
}
