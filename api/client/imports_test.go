package client_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Whoever speaks HTTP or gRPC links neither a NATS client nor a projection, and
// only who uses gRPC links that.
func TestWhatEachPackageLinks(t *testing.T) {
	files := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../")
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if strings.HasPrefix(name, "google.golang.org/grpc") && dir != "api/client/grpcauth" {
				t.Errorf("%s imports %s", path, name)
			}
			switch dir {
			case "api/client", "api/client/middleware", "api/client/grpcauth", "api/wire":
				if strings.HasPrefix(name, "hallpass/") && !strings.HasPrefix(name, "hallpass/api/client") && name != "hallpass/api/wire" {
					t.Errorf("%s imports %s", path, name)
				}
			}
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("saw %d files, %v", files, err)
	}
}
