package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// line is the import line: a package imports only what stands to its left.
var line = []string{"domain", "eventstore", "projections", "api", "cmd"}

// only says which layer alone may know an import. cmd wires, so it may know
// what api may. The sources are read with go/parser rather than by running
// "go list": the test cache can't see what a child process reads.
var only = map[string][]string{
	"github.com/nats-io/":                  {"eventstore"},
	"net/http":                             {"api", "cmd"},
	"github.com/danielgtaylor/huma":        {"api"},
	"github.com/prometheus/client_golang/": {"api"},
	"flag":                                 {"cmd"},
	"github.com/spf13/":                    {"cmd"},
	"golang.org/x/term":                    {"cmd"},
	"os":                                   {"eventstore", "cmd"},
	"crypto/rand":                          {"eventstore", "projections", "api", "cmd"},
}

func TestImportLine(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	for layer, dir := range line {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			files++
			checkImports(t, layer, path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 20 {
		t.Fatalf("saw only %d files", files)
	}
}

func checkImports(t *testing.T, layer int, path string) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	// What exists for tests may use more of the outside, never more of the line.
	forTests := strings.HasSuffix(path, "_test.go") || strings.Contains(filepath.ToSlash(filepath.Dir(path))+"/", "test/")
	for _, i := range f.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if rest, ours := strings.CutPrefix(name, "hallpass/"); ours {
			first, _, _ := strings.Cut(rest, "/")
			if at := slices.Index(line, first); at < 0 || at > layer {
				t.Errorf("%s imports %s, which stands to its right", path, name)
			}
			continue
		}
		for prefix, layers := range only {
			if strings.HasPrefix(name+"/", strings.TrimSuffix(prefix, "/")+"/") && !slices.Contains(layers, line[layer]) && !forTests {
				t.Errorf("%s imports %s, which only %s may know", path, name, strings.Join(layers, " and "))
			}
		}
	}
}

// Every package says what it is for.
func TestEveryPackageHasADoc(t *testing.T) {
	for _, dir := range line {
		_ = filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.IsDir() || e.Name() == "testdata" {
				return err
			}
			sources, _ := filepath.Glob(filepath.Join(path, "*.go"))
			sources = slices.DeleteFunc(sources, func(s string) bool { return strings.HasSuffix(s, "_test.go") })
			if len(sources) == 0 {
				return nil
			}
			text, err := os.ReadFile(filepath.Join(path, "doc.go"))
			if err != nil || !(strings.Contains(string(text), "// Package ") || strings.Contains(string(text), "// Command ")) {
				t.Errorf("%s has no doc.go with a package comment", path)
			}
			return nil
		})
	}
}
