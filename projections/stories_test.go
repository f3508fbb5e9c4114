package projections_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"hallpass/projections/projectionstest"
)

// Each story is a text of what happens to several nodes, on fake time, and of
// what their checks and fences answer. projectionstest.Script says what the
// lines mean.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d stories, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			violations, mistakes, told := runStory(t, file)
			for _, v := range violations {
				t.Errorf("the promise is broken: %s", v)
			}
			for _, m := range mistakes {
				t.Error(m)
			}
			if t.Failed() || testing.Verbose() {
				t.Logf("%s", strings.Join(told, "\n"))
			}
		})
	}
}

func runStory(t *testing.T, file string) (violations, mistakes, told []string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := projectionstest.RunScript(t, string(text))
		violations, mistakes, told = s.Violations(), s.Mistakes, s.Told
	})
	return violations, mistakes, told
}
