package main

import (
	"bufio"
	"cmp"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The commands of README.md are run, in order, in an empty directory: every
// line of every block fenced with ```sh, by sh, with these readings:
//
//   - "go run ./cmd/hallpass serve" and "hallpass serve" start a server in the
//     background, on a free port that stands for 8080 in all other lines, and
//     wait until it is ready. A server that runs is stopped first.
//   - "go install", "git clone", "cd" and "docker" lines are passed over: the
//     built binary is on the PATH, and nothing is fetched.
//   - "hp_…" stands for the secret that was shown last.
//   - a line must exit 0, or with N where its comment says "# exits N".
//   - curl is a small one of our own (scripttools_test.go).
func TestReadme(t *testing.T) {
	runReadme(t, filepath.Join("..", "..", "README.md"))
}

// TestReadmeRunner holds the reading itself to a sample.
func TestReadmeRunner(t *testing.T) {
	outputs := runReadme(t, filepath.Join("testdata", "readme.md"))
	for i, want := range []string{"hp_", `"allowed":true`, "revoked", `"invalid_token"`} {
		if i >= len(outputs) || !strings.Contains(outputs[i], want) {
			t.Errorf("the outputs are %q; number %d should have %q", outputs, i, want)
		}
	}
}

var (
	passedOver = regexp.MustCompile(`^(go install|go test|git clone|cd|docker) `)
	serveLine  = regexp.MustCompile(`^(?:go run \./cmd/hallpass|hallpass) serve\b([^#]*)`)
	exitsWith  = regexp.MustCompile(`# exits (\d+)`)
	shown      = regexp.MustCompile(`hp_[0-9A-Za-z]{49}`)
)

// runReadme runs a file's commands and returns what each printed.
func runReadme(t *testing.T, path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	env := append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "GORACE="+quickExit)
	var server *exec.Cmd
	stop := func() {
		if server != nil {
			_ = server.Process.Signal(os.Interrupt)
			_ = server.Wait()
			server = nil
		}
	}
	t.Cleanup(stop)
	address, secret := "127.0.0.1:0", ""
	var outputs []string
	for _, line := range readmeCommands(string(text)) {
		if passedOver.MatchString(line) {
			continue
		}
		if m := serveLine.FindStringSubmatch(line); m != nil {
			stop()
			var root string
			server, address, root = startReadmeServer(t, dir, env, m[1])
			secret = cmp.Or(secret, root)
			env = append(env, "HALLPASS_SERVER=http://"+address)
			continue
		}
		command := strings.NewReplacer("hp_…", secret, "hp_...", secret,
			"localhost:8080", address, "127.0.0.1:8080", address).Replace(line)
		want := 0
		if m := exitsWith.FindStringSubmatch(line); m != nil {
			want, _ = strconv.Atoi(m[1])
		}
		c := exec.Command("sh", "-c", command)
		c.Dir, c.Env = dir, env
		out, _ := c.CombinedOutput()
		if got := c.ProcessState.ExitCode(); got != want {
			t.Fatalf("%q exits %d, want %d:\n%s", line, got, want, out)
		}
		if s := shown.FindString(string(out)); s != "" {
			secret = s
		}
		outputs = append(outputs, string(out))
	}
	if len(outputs) == 0 {
		t.Fatalf("%s has no commands", path)
	}
	return outputs
}

// readmeCommands returns the lines of the sh blocks, with continued ones joined.
func readmeCommands(text string) []string {
	var commands []string
	inside, whole := false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
			continue
		case !inside, line == "", strings.HasPrefix(line, "#"):
			continue
		}
		part, more := strings.CutSuffix(line, `\`)
		whole += part
		if !more {
			commands = append(commands, strings.TrimPrefix(whole, "$ "))
			whole = ""
		}
	}
	return commands
}

// startReadmeServer starts a server, waits until it is ready, and returns its
// address and the root secret.
func startReadmeServer(t *testing.T, dir string, env []string, flags string) (*exec.Cmd, string, string) {
	c := exec.Command("hallpass", append([]string{"serve"}, strings.Fields(flags)...)...)
	c.Dir, c.Env = dir, append(env, "HALLPASS_LISTEN=127.0.0.1:0", "HALLPASS_LOG_LEVEL=warn")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	expired := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	defer expired.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	m := readyLine.FindStringSubmatch(line)
	if err != nil || m == nil {
		t.Fatalf("the server's first line is %q: %v", line, err)
	}
	root, _ := rootFileIn(filepath.Join(dir, defaultData)).Load()
	return c, strings.TrimPrefix(m[1], "http://"), root.Reveal()
}

// The tests that README names as holding its promises exist.
func TestReadmeNamesTests(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]bool{}
	err = filepath.WalkDir(filepath.Join("..", ".."), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		sources[e.Name()] = true
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			sources[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := namedTest.FindAllStringSubmatch(string(readme), -1)
	for _, m := range named {
		if !sources[m[1]] {
			t.Errorf("README names %s, and there is none", m[1])
		}
	}
	if len(named) < 8 {
		t.Errorf("README names only %d tests", len(named))
	}
}

var (
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	namedTest = regexp.MustCompile("`((?:Test|Fuzz)\\w+|[a-z]+\\.txtar)`")
)
