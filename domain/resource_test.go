package domain_test

import (
	"fmt"
	"strings"
	"testing"

	"hallpass/domain"
)

func TestResources(t *testing.T) {
	deep := strings.Repeat("/s", domain.MaxSegments)
	for in, want := range map[string]string{ // "": refused
		"/":              "/",
		"/a":             "/a",
		"/a/b-c_d.e:f@g": "/a/b-c_d.e:f@g",
		"/a b":           "/a b",
		"/a%20b":         "/a b",
		"/%C3%A9":        "/é",
		"/é":             "/é",
		"/...":           "/...",
		deep:             deep,
		deep + "/s":      "",
		"":               "",
		"a":              "",
		"a/b":            "",
		"//":             "",
		"/a/":            "",
		"/a//b":          "",
		"/.":             "",
		"/a/..":          "",
		"/../a":          "",
		"/%2e%2e/a":      "",
		"/%2E":           "",
		"/a%2fb":         "",
		"/a%2Fb":         "",
		"/a%5cb":         "",
		"/a\\b":          "",
		"/a%252fb":       "",
		"/a%":            "",
		"/a%4":           "",
		"/a%zz":          "",
		"/a%00":          "",
		"/a\x00":         "",
		"/a\n":           "",
		"/a\x7f":         "",
		"/a;b":           "",
		"/a?b":           "",
		"/a#b":           "",
		"/a\xff":         "",
		"/%ff":           "",
		"/a\u202eb":      "",
		"/a\u200bb":      "",
		"/a\ufffdb":      "",
		"/ ":             "",
		"/a /b":          "",
		"/a/ b":          "",
		"/*":             "",
		"/a/*":           "",
		"/a*":            "",
		"/%2a":           "",
		"/" + strings.Repeat("x", domain.MaxResource-1): "/" + strings.Repeat("x", domain.MaxResource-1),
		"/" + strings.Repeat("x", domain.MaxResource):   "",
		"/" + domain.NewSecret([32]byte{1}).Reveal():    "",
	} {
		got, err := domain.ParseResource(in)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestPatterns(t *testing.T) {
	for in, ok := range map[string]bool{
		"/": true, "/*": true, "/a/*/b": true, "/a/*": true,
		"/a*": false, "/*a": false, "/**": false, "*": false, "/a/*b/c": false,
	} {
		if _, err := domain.ParsePattern(in); (err == nil) != ok {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

// Covers and Overlaps are held to Matches over every path of a small universe.
func TestPatternsAsSets(t *testing.T) {
	var patterns []domain.Pattern
	var paths []domain.Resource
	names := []string{"a", "b", "*"}
	for _, x := range names {
		patterns = append(patterns, domain.Pattern("/"+x))
		for _, y := range names {
			patterns = append(patterns, domain.Pattern("/"+x+"/"+y))
		}
	}
	patterns = append(patterns, "/")
	paths = append(paths, "/")
	for _, x := range []string{"a", "b", "z"} {
		paths = append(paths, domain.Resource("/"+x))
		for _, y := range []string{"a", "b", "z"} {
			paths = append(paths, domain.Resource("/"+x+"/"+y), domain.Resource("/"+x+"/"+y+"/deep"))
		}
	}
	for _, p := range patterns {
		for _, q := range patterns {
			covers, overlaps := true, false
			for _, r := range paths {
				if q.Matches(r) && !p.Matches(r) {
					covers = false
				}
				overlaps = overlaps || q.Matches(r) && p.Matches(r)
			}
			if p.Covers(q) != covers || p.Overlaps(q) != overlaps {
				t.Errorf("%s and %s: got covers %v, overlaps %v; want %v, %v", p, q, p.Covers(q), p.Overlaps(q), covers, overlaps)
			}
		}
	}
}

// A normal form is its own normal form, holds no trick, and is its own pattern.
func FuzzResource(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/a%20b", "/%2e%2e", "/a%252f", "/é", "//", "/a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := domain.ParseResource(s)
		if err != nil {
			return
		}
		if again, err := domain.ParseResource(string(r)); err != nil || again != r {
			t.Fatalf("%q became %q, then %q, %v", s, r, again, err)
		}
		for _, bad := range []string{"//", "/../", "/./", "%", "\\", "\x00", ";", "*", "?", "#"} {
			if strings.Contains(string(r)+"/", bad) && (r != "/" || bad != "//") {
				t.Fatalf("%q became %q, which holds %q", s, r, bad)
			}
		}
		p, err := domain.ParsePattern(string(r))
		if err != nil || !p.Matches(r) || !p.Covers(p) || r != "/" && p.Matches(r+"x") {
			t.Fatalf("%q as a pattern: %q, %v", r, p, err)
		}
	})
}

// A grant that Decide takes covers exactly what the naive reading says.
func FuzzGrant(f *testing.F) {
	f.Add("/device/thermo1", "AccessDeviceResources", false)
	f.Add("/*/x", "Read*", true)
	f.Add("/", "*", false)
	f.Add("/teams", "write", true)
	f.Fuzz(func(t *testing.T, resource, action string, unverified bool) {
		h := newHistory(t)
		h.do(domain.OpenAccount{Account: "acme"})
		p := domain.Permissions{Allow: []domain.Grant{{Resource: domain.Pattern(resource), Actions: []domain.Action{domain.Action(action)}, Unverified: unverified}}}
		if _, err := h.try(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: p}); err != nil {
			if domain.CodeOf(err) != domain.CodeInvalid {
				t.Fatalf("got %v, want code invalid", err)
			}
			return
		}
		g := h.state.Token.Permissions.Allow[0]
		if again, err := domain.ParsePattern(string(g.Resource)); err != nil || again != g.Resource {
			t.Fatalf("%q is kept as %q, which is no normal form: %v", resource, g.Resource, err)
		}
		concrete := strings.ReplaceAll(string(g.Resource), "*", "z")
		name := strings.TrimSuffix(action, "*")
		if name == "" {
			name = "Any"
		}
		n, err := domain.Builtin().Need(name, concrete, true)
		if err != nil {
			t.Fatalf("%s on %s can be granted and not asked for: %v", action, concrete, err)
		}
		if !h.state.Token.Permissions.Decide(n).Allowed() {
			t.Fatalf("%s on %s is refused by its own grant %v", name, concrete, g)
		}
	})
}

func TestUnknownActionsInChecks(t *testing.T) {
	_, err := domain.Builtin().Need("ReadBuckett", "/bucket/b", false)
	if err == nil || !strings.Contains(fmt.Sprint(err), "ReadBucket") {
		t.Errorf("got %v, want the near name", err)
	}
	n, err := domain.Builtin().Need("Wave", "/robot", true)
	if err != nil || n.Level != domain.LevelWrite {
		t.Errorf("got %v, %v; want a write", n, err)
	}
}
