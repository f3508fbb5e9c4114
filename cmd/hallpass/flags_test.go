package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// everyCommand calls f for each command that there is.
func everyCommand(f func(*cobra.Command)) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		f(c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}

// ours tells whether the command's flags are hallpass's own.
func ours(c *cobra.Command) bool {
	return !strings.HasPrefix(c.CommandPath(), "hallpass completion") && c.Name() != "help"
}

// valueFor is a value that each type of flag takes.
var valueFor = map[string]string{
	"string": "text", "bool": "true", "int": "3", "uint64": "7", "duration": "90m", "intSlice": "2",
	"time": "2030-01-31", "size": "20GiB", "grant": "/device:read", "key=value": "a=b", "key[=value]": "a=b", "stringArray": "a", "stringSlice": "a", "float64": "1.5", "durationSlice": "2s",
	"name:level": "MoveRobot:write", "any|sessions": "any", "prefix,...": "10.0.0.0/8", "hours": "08:00-18:00 UTC", "int64": "4",
	"table|json": "json", "all|commit": "all", "seq:sha256": "7:" + strings.Repeat("ab", 32), "code": "policy",
}

func TestEveryFlagHasAnEnvironmentTwin(t *testing.T) {
	seen := 0
	everyCommand(func(c *cobra.Command) {
		if !ours(c) {
			return
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			seen++
			name := envName(f.Name)
			if !strings.Contains(f.Usage, "[$"+name+"]") {
				t.Errorf("%s --%s: help doesn't name %s", c.CommandPath(), f.Name, name)
			}
			value, ok := valueFor[f.Value.Type()]
			if !ok {
				t.Fatalf("%s --%s: no value for a %s is known", c.CommandPath(), f.Name, f.Value.Type())
			}
			t.Setenv(name, value)
			if err := fromEnv(c.Flags()); err != nil {
				t.Errorf("%s --%s: %s=%s gives %v", c.CommandPath(), f.Name, name, value, err)
			}
			if !f.Changed {
				t.Errorf("%s --%s: %s=%s doesn't set it", c.CommandPath(), f.Name, name, value)
			}
			t.Setenv(name, "")
		})
	})
	if seen < 100 {
		t.Fatalf("saw only %d flags", seen)
	}
}

func TestTheFlagWinsOverItsTwin(t *testing.T) {
	t.Setenv("HALLPASS_NAME", "from the environment")
	t.Setenv("HALLPASS_GRANT", "/device:read\n/bucket:read,write")
	c, _, err := newRoot().Find([]string{"token", "issue"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ParseFlags([]string{"--name", "from the flag"}); err != nil {
		t.Fatal(err)
	}
	if err := fromEnv(c.Flags()); err != nil {
		t.Fatal(err)
	}
	if got := c.Flag("name").Value.String(); got != "from the flag" {
		t.Errorf("name is %q", got)
	}
	if got, want := c.Flag("grant").Value.String(), "/device:read /bucket:read,write"; got != want {
		t.Errorf("grants are %q, want %q", got, want)
	}
}

// TestHelp holds what each command says of itself. With -update it is written
// anew; whoever reviews the change reads it as a user would.
func TestHelp(t *testing.T) {
	dir := filepath.Join("testdata", "help")
	files := map[string]bool{}
	everyCommand(func(c *cobra.Command) {
		if strings.HasPrefix(c.CommandPath(), "hallpass completion ") {
			return // cobra's own words
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "_") + ".txt"
		files[name] = true
		var got strings.Builder
		root := newRoot()
		root.SetOut(&got)
		root.SetArgs(append([]string{"help"}, strings.Fields(c.CommandPath())[1:]...))
		if err := root.Execute(); err != nil {
			t.Errorf("%s: %v", c.CommandPath(), err)
			return
		}
		path := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v: run the test with -update", err)
			return
		}
		if got.String() != string(want) {
			t.Errorf("the help of %q has changed; run the test with -update and read the difference. Got:\n%s", c.CommandPath(), got.String())
		}
	})
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !files[e.Name()] {
			t.Errorf("%s describes no command", e.Name())
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		value interface{ Set(string) error }
		ok    string
		bad   string
	}{
		{new(size), "1|500MiB|1.5GiB|20GB|1TiB", "|-1|0|many|GiB|1e30TB|NaN"},
		{new(span), "90m|12h|30d|2w|0s|1h30m", "|-1h|d|1.5d|30 days|99999999d"},
		{new(moment), "2030-01-31T12:00:00Z|2030-01-31T12:00:00.5+02:00|2030-01-31|12h|30d", "|now|31.1.2030|-1h"},
		{new(grants), "/device:read|/device/a:b:read|/:*|/device/thermo1:A,B", "|/device|/device:|:read|/device:a,,b"},
		{tags{}, "a=b|a=|a=b=c", "|a|=b"},
		{new(reasonCode), "policy|compromised", "|Policy|other"},
		{new(format), "json|table", "|yaml"},
	} {
		for v := range strings.SplitSeq(c.ok, "|") {
			if err := c.value.Set(v); err != nil {
				t.Errorf("%T: %q is refused: %v", c.value, v, err)
			}
		}
		for v := range strings.SplitSeq(c.bad, "|") {
			if err := c.value.Set(v); err == nil {
				t.Errorf("%T: %q is taken", c.value, v)
			}
		}
	}
}

// A tag is written in filters as at issue, and reaches the API in its own form.
// What could be meant in two ways is refused: it may be for revoke-many.
func TestATagIsLookedForAsItIsWritten(t *testing.T) {
	for text, want := range map[string]string{
		"team": "team", "team=blue": "team:blue", "team=": "team:", "at=12:30": "at:12:30", "sum=a=b": "sum:a=b",
	} {
		var f tagFilter
		if err := f.Set(text); err != nil || string(f) != want {
			t.Errorf("%q is asked for as %q, %v; want %q", text, f, err, want)
		}
		if f.String() != text {
			t.Errorf("%q is shown as %q", text, f.String())
		}
	}
	for text, want := range map[string]string{
		"": "KEY or KEY=VALUE", "=blue": "KEY or KEY=VALUE", ":blue": "KEY or KEY=VALUE",
		"team:blue": "KEY=VALUE: team=blue", "team:": "KEY=VALUE: team=", "at:12:30": "KEY=VALUE: at=12:30",
		"team:blue=on": "can't be looked for",
	} {
		var f tagFilter
		if err := f.Set(text); err == nil || f != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %q, %v; want %q", text, f, err, want)
		}
	}
	f := tagFilter("team:blue")
	if err := f.Set("room=attic"); err == nil || f != "team:blue" {
		t.Errorf("a second tag gives %q, %v", f, err)
	}
}

func TestPrintable(t *testing.T) {
	if got, want := printable("a\x1b[2Jb\tc\nd\u202eé"), "a?[2Jb?c?d?é"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLoopback(t *testing.T) {
	for server, want := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://localhost:1": true, "https://[::1]:1": true, "http://127.9.9.9": true,
		"http://127.0.0.1.example.com": false, "http://example.com": false, "http://localhost.example.com": false,
		"http://10.0.0.1": false, "http://0.0.0.0:1": false, "http://user@127.0.0.1@example.com": false, "::": false,
	} {
		if got := loopback(server); got != want {
			t.Errorf("loopback(%q) is %v", server, got)
		}
	}
}
