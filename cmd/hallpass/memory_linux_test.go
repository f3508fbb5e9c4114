package main

import (
	"slices"
	"testing"
)

func TestMemory(t *testing.T) {
	if got := available("MemTotal:       24684092 kB\nMemFree:        1 kB\nMemAvailable:   24196168 kB\nX: 2 kB\n"); got != 24196168<<10 {
		t.Errorf("available: %d", got)
	}
	if got := available(""); got != 0 {
		t.Errorf("nothing said: %d", got)
	}
	two := limits("0::/a/b\n")
	if want := []string{
		"/sys/fs/cgroup/a/b/memory.high", "/sys/fs/cgroup/a/b/memory.max", "/sys/fs/cgroup/a/memory.high", "/sys/fs/cgroup/a/memory.max",
		"/sys/fs/cgroup/memory.high", "/sys/fs/cgroup/memory.max",
	}; !slices.Equal(two, want) {
		t.Errorf("version 2: %q", two)
	}
	one := limits("9:cpu,memory:/x\n3:pids:/y\nodd\n")
	if want := []string{"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}; !slices.Equal(one, want) {
		t.Errorf("version 1: %q", one)
	}
}
