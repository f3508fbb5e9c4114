package crafter

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// at serves one request at this door, without the network. A body is a form.
func (w *world) at(out http.ResponseWriter, method, path string, body io.Reader) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
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

const inside = "/api/1/access_token"

// Bodies are read for who is known, but for a small one that may say who it is.
func TestABodyIsReadForWhoIsKnown(t *testing.T) {
	w := newWorld(t)
	id := w.create(w.master, `{"application":"x","tenantPermissions":[{"tenant":"a","allowedActions":["X"]}]}`)
	for _, r := range [][2]string{
		{"POST", inside + "/create"}, {"POST", inside + "/create?accessTokenId=nobody"}, {"POST", inside + "/create?accessTokenId=" + id},
		{"POST", inside + "/" + id + "/delete?accessTokenId=nobody"}, {"GET", inside + "/all?accessTokenId=nobody"}, {"POST", "/api/1/filter?accessTokenId=nobody"},
	} {
		rec := httptest.NewRecorder()
		if w.at(rec, r[0], r[1], silent{t}); rec.Code != 403 {
			t.Errorf("%s %s: %d %s", r[0], r[1], rec.Code, rec.Body)
		}
	}
	rec := httptest.NewRecorder()
	if w.at(rec, "GET", inside+"/"+id+"?accessTokenId="+w.master, silent{t}); rec.Code != 200 {
		t.Errorf("GET: %d %s", rec.Code, rec.Body)
	}
	padded := func(n int) *strings.Reader {
		body := "accessTokenId=" + w.master + "&pad="
		return strings.NewReader(body + strings.Repeat("x", n-len(body)))
	}
	for n, status := range map[int]int{16 << 10: 200, 16<<10 + 1: 400} {
		for _, length := range []int64{int64(n), -1} { // said before, or not
			rec := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, inside+"/"+chosen+"/delete", padded(n))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.ContentLength = length
			if New(w.svc, Config{}).ServeHTTP(rec, r); rec.Code != status {
				t.Errorf("%d bytes: %d %s", n, rec.Code, rec.Body)
			}
		}
	}
}

// A master that ends while a body comes, or while an answer is made, gets nothing.
func TestAMasterThatEndsMeanwhile(t *testing.T) {
	w := newWorld(t)
	id := w.create(w.master, `{"application":"x"}`)
	brief := func() (string, func()) {
		by := w.create(w.master, `{"application":"brief","master":true}`)
		return by, func() { w.as(w.master, "POST", "/"+by+"/delete", "").is(t, 200, "") }
	}
	for _, r := range [][2]string{
		{"/create?accessTokenId=BY", `{"application":"y"}`}, {"/create?accessTokenId=BY", `{}`},
		{"/" + id + "/delete?accessTokenId=BY", ""}, {"/" + chosen + "/delete?accessTokenId=BY", ""}, {"/" + chosen + "/delete", "accessTokenId=BY"},
	} {
		by, end := brief()
		path, body := strings.Replace(r[0], "BY", by, 1), strings.Replace(r[1], "BY", by, 1)
		rec := httptest.NewRecorder()
		if w.at(rec, "POST", inside+path, &late{end, strings.NewReader(body)}); rec.Code != 403 || !strings.Contains(rec.Body.String(), "ACCESS_DENIED") {
			t.Errorf("POST %s: %d %s", r[0], rec.Code, rec.Body)
		}
	}
	by, end := brief()
	native := w.native(w.root, "POST", "/v1/accounts/crafter/tokens", `{"origin":"crafter","name":"native"}`)["secret"].(string) // of which no showing is a record
	out := &between{httptest.NewRecorder(), end}
	if w.at(out, "GET", inside+"/"+native+"?accessTokenId="+by, nil); out.Code != 403 || strings.Contains(out.Body.String(), "native") {
		t.Errorf("GET: %d %s", out.Code, out.Body)
	}
}
