package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"hallpass/api/wire"
	"hallpass/domain"
)

// A request of 1 MiB makes neither a large answer nor much memory.
func TestFaultsAreBounded(t *testing.T) {
	w := newQuietWorld(t)
	const tokens = "/v1/accounts/root/tokens"
	fields := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"f%d":1,`, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	items := func(n int, item string) string { return strings.Repeat(item+",", n-1) + item }
	const more = "more than 50 fields"
	for _, row := range []struct{ name, method, path, body, says string }{
		{"many numbers", "POST", tokens, `{"permissions":{"allow":[{"actions":[` + items(500_000, "1") + `]}]}}`, "more than 20000 values"},
		{"many empty objects", "POST", tokens, `{"permissions":{"allow":[` + items(340_000, "{}") + `]}}`, "more than 20000 values"},
		{"many fields", "POST", tokens, "{" + fields(60_000) + "}", "more than 20000 values"},
		{"unknown fields", "POST", tokens, "{" + fields(19_000) + "}", more},
		{"unknown fields of a patch", "PATCH", tokens + "/root", "{" + fields(19_000) + "}", more},
		{"wrong types", "POST", tokens, `{"permissions":{"allow":[` + items(19_000, "1") + `]}}`, more},
		{"wrong tags", "POST", tokens, `{"tags":{` + fields(19_000) + `}}`, more},
		{"wrong tags of a patch", "PATCH", tokens + "/root", `{"tags":{` + fields(19_000) + `}}`, more},
		{"wrong checks", "POST", "/v1/checks", `{"checks":[` + items(1000, `{"action":"ReadBuckett","resource":"/"}`) + `]}`, more},
		{"unknown parameters", "GET", tokens + "?" + strings.ReplaceAll(strings.ReplaceAll(fields(5000), ":1,", "&"), `"`, ""), "", more},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, row.path, strings.NewReader(row.body))
			r.Header.Set("Authorization", "Bearer "+w.root)
			rec := httptest.NewRecorder()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w.h.ServeHTTP(rec, r)
			runtime.ReadMemStats(&after)
			p := problem(t, answer{rec.Code, rec.Header(), rec.Body.String()})
			if p.Status/100 != 4 || !strings.Contains(p.Detail, row.says) || len(p.Errors) > maxFaults {
				t.Errorf("%d %s, with %d fields", p.Status, p.Detail, len(p.Errors))
			}
			if n := rec.Body.Len(); n > 32<<10 {
				t.Errorf("the answer has %d bytes", n)
			}
			// All that was ever allocated, by the collector's count: held at once is less.
			if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 32 {
				t.Errorf("it took %d MiB", n)
			}
		})
	}
}

// Errors that the domain made are cut, too.
func TestLongProblemsAreCut(t *testing.T) {
	w := newQuietWorld(t)
	rec := httptest.NewRecorder()
	c := &call{ResponseWriter: rec, r: httptest.NewRequest(http.MethodPost, accountsPath, nil), h: w.h, id: "x"}
	c.problem(&domain.Error{Code: domain.CodeInvalid, Detail: "many", Fields: make([]domain.Field, 1000)})
	p := problem(t, answer{rec.Code, rec.Header(), rec.Body.String()})
	if len(p.Errors) != maxFaults || !strings.Contains(p.Detail, "1000") {
		t.Errorf("%d fields: %s", len(p.Errors), p.Detail)
	}
}

// The largest token that the domain takes fits into a body.
func TestTheLargestTokenFits(t *testing.T) {
	var g wire.Grant
	g.Resource = "/"
	g.Actions = slices.Repeat([]string{"*"}, domain.MaxActions)
	in := wire.IssueToken{Permissions: &wire.Permissions{Allow: slices.Repeat([]wire.Grant{g}, domain.MaxGrants)}, Tags: map[string]string{}}
	for i := range domain.MaxTags {
		in.Tags[fmt.Sprint(i)] = ""
	}
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseJSON(body); err != nil {
		t.Error(err)
	}
}

// fatPermissions takes some 45 KiB in a record.
func fatPermissions(salt int) domain.Permissions {
	var p domain.Permissions
	for i := range 90 {
		p.Allow = append(p.Allow, domain.Grant{Resource: domain.Pattern(fmt.Sprintf("/%03d%03d%s", salt, i, strings.Repeat("x", 490))), Actions: []domain.Action{"read"}})
	}
	return p
}

// A page ends when it has enough bytes, whatever its limit; no item is lost or
// shown twice.
func TestPagesAreBounded(t *testing.T) {
	w := newWorld(t)
	w.issue("root", `{"id":"edited"}`)
	root, err := w.svc.Authenticate(w.root, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 110
	var issued, edited []string
	for i := range n {
		id := fmt.Sprintf("t%d", i)
		issued = append(issued, id)
		p := fatPermissions(i)
		if _, err := w.svc.Do(t.Context(), root, domain.IssueToken{Account: "root", Token: domain.TokenID(id), Name: "fat", Permissions: p, Digest: domain.Digest{byte(i), 1}}, WaitDefault); err != nil {
			t.Fatal(err)
		}
		r, err := w.svc.Do(t.Context(), root, domain.EditToken{Account: "root", Token: "edited", Permissions: &p}, WaitDefault)
		if err != nil {
			t.Fatal(err)
		}
		edited = append(edited, fmt.Sprint(r.Revision))
	}
	type item struct {
		ID       string
		Revision uint64
		Type     string
	}
	all := func(path string, key func(item) string) (keys []string, pages int) {
		cursor := ""
		for {
			a := w.must(w.root, "GET", path+cursor, "")
			if len(a.body) > maxPage+1<<20 {
				t.Errorf("a page of %d bytes", len(a.body))
			}
			var l wire.List[item]
			if err := json.Unmarshal([]byte(a.body), &l); err != nil {
				t.Fatal(err)
			}
			for _, i := range l.Items {
				keys = append(keys, key(i))
			}
			pages++
			if l.NextCursor == nil {
				return keys, pages
			}
			cursor = "&cursor=" + *l.NextCursor
		}
	}
	for _, limit := range []int{1000, n, 50} {
		ids, pages := all(fmt.Sprintf("/v1/accounts/root/tokens?name=fat&limit=%d", limit), func(i item) string { return i.ID })
		if !slices.Equal(ids, issued) || pages < 2 {
			t.Errorf("limit %d: %d pages with %v", limit, pages, ids)
		}
		revisions, pages := all(fmt.Sprintf("/v1/accounts/root/tokens/edited/events?limit=%d", limit), func(i item) string { return fmt.Sprint(i.Revision) })
		if !slices.Equal(revisions[1:], edited) || pages < 2 {
			t.Errorf("limit %d: %d pages with %v", limit, pages, revisions)
		}
	}
}

// What a caller could do when he began to send a body does not count.
func TestCallerIsJudgedAfterTheBody(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	victim := w.issue("acme", `{"id":"victim",`+everything+`}`).Secret
	slow := w.issue("acme", `{"id":"slow",`+everything+`}`).Secret
	pad := strings.Repeat(" ", smallBody)
	question := `"action":"read","resource":"/device"`
	for _, r := range []struct{ method, path, body string }{
		{"POST", "/v1/check", `{` + question + `}`},
		{"POST", "/v1/check", `{` + question + `}` + pad},
		{"POST", "/v1/check", `{` + question + `,"secret":"` + victim + `"}`},
		{"POST", "/v1/check", `{` + question + `,"secret":"` + victim + `"}` + pad},
		{"POST", "/v1/check", `{`},
		{"POST", "/v1/checks", `{"checks":[{` + question + `,"secret":"` + victim + `"}]}`},
		{"POST", "/v1/checks", `{"checks":[{` + question + `}]}`},
		{"POST", "/v1/accounts/acme/tokens", `{"id":"late"}`},
		{"PATCH", "/v1/accounts/acme/tokens/victim", `{}`},
		{"PATCH", "/v1/accounts/acme/tokens/victim", `{"nameX":1}`},
		{"POST", "/v1/accounts/acme/tokens/victim/enable", `{}`},
		{"POST", "/v1/accounts/acme/tokens/victim/rotate", `{}`},
		{"DELETE", "/v1/accounts/acme/tokens/victim", `{}`},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", r.method, r.path, slow, len(r.body)); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} { // it waits for the body
			if line, err := in.ReadString('\n'); line != want {
				t.Fatalf("%s %s: %q, %v", r.method, r.path, line, err)
			}
		}
		w.must(w.root, "POST", "/v1/accounts/acme/tokens/slow/disable", "")
		if _, err := io.WriteString(conn, r.body); err != nil {
			t.Fatal(err)
		}
		line, err := in.ReadString('\n')
		if line != "HTTP/1.1 401 Unauthorized\r\n" {
			t.Errorf("%s %s %.60s: %q, %v", r.method, r.path, r.body, line, err)
		}
		_ = conn.Close()
		w.must(w.root, "POST", "/v1/accounts/acme/tokens/slow/enable", "")
	}
}
