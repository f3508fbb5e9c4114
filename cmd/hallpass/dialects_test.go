package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// defaultDialects are the flags of "serve" as they are without any.
func defaultDialects(t *testing.T, args ...string) *dialectFlags {
	t.Helper()
	f, c := new(dialectFlags), new(cobra.Command)
	f.flags(c)
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return f
}

// Until there is a log to answer from, each door says so in its own form.
func TestEveryDoorSaysThatItWaits(t *testing.T) {
	m := newMount(notYet{}, defaultDialects(t).handlers(nil))
	for _, d := range dialects {
		for _, path := range d.at {
			w := httptest.NewRecorder()
			m.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path+"/x", http.NoBody))
			body := map[string]any{}
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["type"] != nil {
				t.Errorf("%s: %s (%v)", path, w.Body, err)
			}
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "starting") {
				t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
			}
		}
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/check", http.NoBody))
	if w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("the native door: %v", w.Header())
	}
}

// A dialect sees what is under its paths, by segment and as it was spelt, and no
// other request.
func TestMount(t *testing.T) {
	says := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(name + " " + r.URL.Path + " " + r.URL.RawPath + "?" + r.URL.RawQuery))
		})
	}
	m := &mount{native: says("native"), at: []mounted{
		{path: "/one", strip: "/one", handler: says("one")}, {path: "/v1/users", handler: says("two")},
	}}
	for target, want := range map[string]string{
		"/":                  "native / ?",
		"/one":               "one / ?",
		"/one?a=b":           "one / ?a=b",
		"/one/":              "one / ?",
		"/one/x/y?a":         "one /x/y ?a",
		"/one/x%2Fy":         "one /x/y /x%2Fy?",
		"/one/one":           "one /one ?",
		"/ones":              "native /ones ?",
		"/%6fne/x":           "native /one/x /%6fne/x?",
		"/one%2Fx":           "native /one/x /one%2Fx?",
		"/x/one":             "native /x/one ?",
		"/v1/users":          "two /v1/users ?",
		"/v1/users/a/tokens": "two /v1/users/a/tokens ?",
		"/v1/check":          "native /v1/check ?",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, target, http.NoBody)
		before := *r.URL
		m.ServeHTTP(w, r)
		if got := w.Body.String(); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
		if *r.URL != before {
			t.Errorf("%s: the server's own request was changed", target)
		}
	}
}

func TestDialectFlagsThatDontGoTogether(t *testing.T) {
	one, two := "--"+dialects[0].name, "--"+dialects[1].name
	rows := map[string]string{
		"":                                       "",
		one + "-listen :0 " + two + "-listen :0": "",
		one + "=false":                           "",
		one + "=false " + one + "-listen :1":     one + "-listen needs " + one,
		one + "-listen main:1":                   "--listen and " + one + "-listen name the same",
		one + "-listen :7 " + two + "-listen :7": "name the same address",
		"--crafter-account root":                 "--crafter-account is",
	}
	if defaultDialects(t).each["crafter"] != nil {
		rows["--crafter=false --crafter-account somewhereelse"] = "--crafter-account needs --crafter"
	}
	for args, want := range rows {
		err := defaultDialects(t, strings.Fields(args)...).check("main:1")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
}

// A dialect goes with its entry in the table and its folder: nothing else of this
// package names it.
func TestADialectStandsInTheTableAlone(t *testing.T) {
	packages := map[string]bool{}
	for _, d := range dialects {
		packages[d.name] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, file := range files {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if name, ok := strings.CutPrefix(path, "hallpass/api/"); ok && packages[name] && file != "dialects.go" {
				t.Errorf("%s imports %s", file, path)
			}
		}
		if file != "dialects.go" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && v.Names[0].Name == "dialects" {
				named++
				return false
			}
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && packages[x.Name] {
					t.Errorf("%s names the package %s outside of the table", set.Position(s.Pos()), x.Name)
				}
			}
			return true
		})
	}
	if named != 1 {
		t.Errorf("the table is there %d times", named)
	}
}

// What an export is cut into, and what is none; no error repeats any of it.
func TestRowsOfAnExport(t *testing.T) {
	for text, lines := range map[string][]int{
		`[]`:                        {},
		`[{"a":1}]`:                 {1},
		"\n[\n {\"a\":1},\n\n {}]":  {3, 5},
		`{"tokens":[]}`:             {},
		"{\"tokens\":[{},\n{}]}\n ": {1, 2},
		`[1,"x",null]`:              {1, 1, 1},
	} {
		rows, _, ok := rowsOf([]byte(text))
		if !ok || len(rows) != len(lines) {
			t.Errorf("%q: %v %v", text, rows, ok)
			continue
		}
		for i, row := range rows {
			if row.line != lines[i] {
				t.Errorf("%q: row %d is in line %d", text, i+1, row.line)
			}
		}
	}
	for _, text := range []string{
		"", "null", "7", `"x"`, `{}`, `{"items":[]}`, `{"tokens":{}}`, `{"tokens":[]`, `{"tokens":[],"next":1}`, `[`, `[{]`, `[{} {}]`, `[]x`, `[][]`,
	} {
		if rows, _, ok := rowsOf([]byte(text)); ok {
			t.Errorf("%q is taken: %v", text, rows)
		}
	}
}
