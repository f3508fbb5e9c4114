package main

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The files at the top of the repository for Docker. They are read as text:
// what these tests want of YAML is names and values on lines of their own, and
// one flow map for each node.
func atTop(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// find returns the pattern's one group of its one match.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
	if len(m) != 1 {
		t.Fatalf("%q is there %d times, not once", pattern, len(m))
	}
	return m[0][1]
}

// Every variable of hallpass's that is set there is the twin of a flag of
// "serve", or one that its help tells of, or the twin of a flag of what else is run.
func TestDockerVariables(t *testing.T) {
	serve, destroy := newServe(), newKeyringDestroy()
	known := regexp.MustCompile(`HALLPASS_[A-Z_]+`)
	for _, file := range []string{"Dockerfile", "docker-compose.yml"} {
		names := known.FindAllString(atTop(t, file), -1)
		if len(names) < 2 {
			t.Errorf("%s names only %q", file, names)
		}
		for _, name := range names {
			flag := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "HALLPASS_")), "_", "-")
			if serve.Flags().Lookup(flag) == nil && destroy.Flags().Lookup(flag) == nil && !slices.Contains(known.FindAllString(serve.Long, -1), name) {
				t.Errorf("%s: %s is neither the twin of a flag of serve nor in its help", file, name)
			}
		}
	}
}

var (
	dockerEnv   = regexp.MustCompile(`(?m)^ENV (.+)$`)
	composeMap  = regexp.MustCompile(`(?m)^x-[a-z]+: &(embedded|external)\n((?:  .*\n)+)`)
	composeLine = regexp.MustCompile(`(?m)^  (HALLPASS_[A-Z_]+):(.*)$`)
	composeNode = regexp.MustCompile(`(?m)^  ([a-z]+\d):\n(?:    .*\n)*?    environment: \{<<: \*(embedded|external), (.*)\}$`)
	composePair = regexp.MustCompile(`(HALLPASS_[A-Z_]+): ("[^"]*"|[^",]+)`)
	defaulted   = regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`)
)

// composeNodes returns each node's environment, by service.
func composeNodes(t *testing.T) map[string]map[string]string {
	t.Helper()
	image := map[string]string{}
	for _, m := range dockerEnv.FindAllStringSubmatch(atTop(t, "Dockerfile"), -1) {
		for pair := range strings.FieldsSeq(m[1]) {
			name, value, _ := strings.Cut(pair, "=")
			image[name] = value
		}
	}
	compose := atTop(t, "docker-compose.yml")
	common := map[string]map[string]string{}
	for _, m := range composeMap.FindAllStringSubmatch(compose, -1) {
		common[m[1]] = maps.Clone(image)
		for _, l := range composeLine.FindAllStringSubmatch(m[2], -1) {
			common[m[1]][l[1]] = scalar(l[2])
		}
	}
	nodes := map[string]map[string]string{}
	for _, m := range composeNode.FindAllStringSubmatch(compose, -1) {
		nodes[m[1]] = maps.Clone(common[m[2]])
		for _, pair := range composePair.FindAllStringSubmatch(m[3], -1) {
			nodes[m[1]][pair[1]] = scalar(pair[2])
		}
	}
	if len(nodes) != 6 {
		t.Fatalf("found the nodes %q; there should be six", slices.Sorted(maps.Keys(nodes)))
	}
	return nodes
}

// scalar is a value as compose hands it on where nothing is set outside.
func scalar(s string) string {
	return defaulted.ReplaceAllString(strings.Trim(strings.TrimSpace(s), `"`), "$1")
}

// What each node is told makes a command line that "serve" takes: it gets as
// far as the root token, which is read after the flags, and is none here.
func TestComposeNodesAreServed(t *testing.T) {
	for service, env := range composeNodes(t) {
		t.Run(service, func(t *testing.T) {
			for name, value := range env {
				t.Setenv(name, value)
			}
			t.Setenv("HALLPASS_ROOT_TOKEN", "none")
			root := newRoot()
			root.SetArgs([]string{"serve"})
			if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "HALLPASS_ROOT_TOKEN holds no secret") {
				t.Errorf("serve says %v", err)
			}
		})
	}
}

// The nodes of the embedded cluster know each other, under the names that
// compose gives them.
func TestComposeRoutes(t *testing.T) {
	nodes := composeNodes(t)
	clustered := map[string]map[string]string{}
	for service, env := range nodes {
		if env["HALLPASS_NODE"] != service {
			t.Errorf("the node of service %s is called %q", service, env["HALLPASS_NODE"])
		}
		if env["HALLPASS_CLUSTER"] != "" {
			clustered[service] = env
		}
	}
	if len(clustered) != 3 {
		t.Fatalf("%d nodes are in the cluster", len(clustered))
	}
	for service, env := range clustered {
		var want []string
		for _, other := range slices.Sorted(maps.Keys(clustered)) {
			if other != service {
				want = append(want, "nats://"+other+clustered[other]["HALLPASS_CLUSTER_LISTEN"])
			}
		}
		if got := commaList(env["HALLPASS_ROUTES"]); !slices.Equal(got, want) {
			t.Errorf("the routes of %s are %q, want %q", service, got, want)
		}
	}
}

// The nodes of either cluster share a volume, whose place the image has for its
// own user. One service writes the keyring there, before any of them starts.
func TestComposeKeyring(t *testing.T) {
	dockerfile, compose := atTop(t, "Dockerfile"), atTop(t, "docker-compose.yml")
	if dirs := find(t, dockerfile, `mkdir -m 700 -p (.*)`); !strings.Contains(dirs, "/out/owned/keyring") {
		t.Errorf("the image has only %s", dirs)
	}
	first := regexp.MustCompile(`(keyring|xkeyring): \{condition: service_completed_successfully\}`).FindAllStringSubmatch(compose, -1)
	if len(first) != 2 || first[0][1] == first[1][1] {
		t.Errorf("what nodes wait for is %q", first)
	}
	maker := find(t, compose, `entrypoint: \["hallpass", (.*)\]`) + ", " + find(t, compose, `command: \[(.*)\]`)
	for service, env := range composeNodes(t) {
		volume := map[byte]string{'n': "keyring", 'x': "xkeyring"}[service[0]]
		if at := find(t, compose, `volumes: \["`+service+`:/data", "`+volume+`:(.*):ro"\]`); env["HALLPASS_KEYRING"] != at+"/keyring" {
			t.Errorf("%s looks for %q, and the volume is at %s", service, env["HALLPASS_KEYRING"], at)
		}
		if made := find(t, compose, `environment: \{HALLPASS_KEYRING: (.*), HALLPASS_SERVER: "http://`+service[:1]+`1:8080"\}\n    volumes: \["`+volume+`:/keyring"\]`); made != env["HALLPASS_KEYRING"] {
			t.Errorf("%s looks for %q, and %q is made", service, env["HALLPASS_KEYRING"], made)
		}
	}
	file := filepath.Join(t.TempDir(), "keyring")
	t.Setenv("HALLPASS_KEYRING", file)
	for range 2 {
		root := newRoot()
		root.SetOut(io.Discard)
		root.SetArgs(commandWords(maker))
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		loaded(t, keyringFile{file})
	}
}

// commandWords reads the inside of a list of words as JSON and YAML write it.
func commandWords(list string) []string {
	return strings.Split(strings.ReplaceAll(list, `"`, ""), ", ")
}

// What the image runs are commands, and they get the time that they need.
func TestDockerCommands(t *testing.T) {
	dockerfile, compose := atTop(t, "Dockerfile"), atTop(t, "docker-compose.yml")
	for name, args := range map[string]string{
		"serve": find(t, dockerfile, `(?m)^CMD \[(.*)\]$`),
		"ready": find(t, dockerfile, `(?m)^HEALTHCHECK .* CMD \["hallpass", (.*)\]$`),
		"also":  find(t, compose, `test: \["CMD", "hallpass", (.*)\]`),
	} {
		words := commandWords(args)
		c, rest, err := newRoot().Find(words)
		if err != nil || len(rest) != 0 || (c.Name() != name && name != "also") {
			t.Errorf("%s: %q finds %q, %q, %v", name, words, c.Name(), rest, err)
		}
	}
	for _, m := range regexp.MustCompile(`stop_grace_period: (\S+)`).FindAllStringSubmatch(compose, -1) {
		if grace, err := time.ParseDuration(m[1]); err != nil || grace < drainFor+leaveFor+handOverFor+5*time.Second {
			t.Errorf("a stop has %s, %v; a node may take %v", m[1], err, drainFor+leaveFor+handOverFor)
		}
	}
}

// What is built with, and the NATS server beside it, are those of go.mod.
func TestDockerVersions(t *testing.T) {
	mod, dockerfile := atTop(t, "go.mod"), atTop(t, "Dockerfile")
	if got, want := find(t, dockerfile, `FROM golang:(\S+)`), find(t, mod, `(?m)^go (\d+\.\d+)`); got != want {
		t.Errorf("the image is built with Go %s, go.mod says %s", got, want)
	}
	if got, want := find(t, atTop(t, "docker-compose.yml"), `image: nats:(\S+)-alpine`), find(t, mod, `nats-server/v2 v(\S+)`); got != want {
		t.Errorf("the NATS image is %s, go.mod says %s", got, want)
	}
	ignore := strings.Fields(atTop(t, ".dockerignore"))
	for _, dir := range line {
		if !slices.Contains(ignore, "!"+dir) {
			t.Errorf(".dockerignore keeps %s out of the build", dir)
		}
	}
}
