package main

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// memory is how many bytes this process may take: what the machine has
// available, or what its control groups allow, whichever is less; 0 if that
// can't be found out.
func memory() int64 {
	most := available(read("/proc/meminfo"))
	for _, file := range limits(read("/proc/self/cgroup")) {
		if n, err := strconv.ParseInt(strings.TrimSpace(read(file)), 10, 64); err == nil {
			most = min(most, n)
		}
	}
	return most
}

func read(file string) string {
	b, _ := os.ReadFile(file) // what isn't there says nothing
	return string(b)
}

// available reads the line MemAvailable of /proc/meminfo.
func available(meminfo string) int64 {
	_, after, _ := strings.Cut(meminfo, "\nMemAvailable:")
	kB, _, _ := strings.Cut(after, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(kB), 10, 64)
	return n << 10
}

// limits are the files that bound a process with that /proc/self/cgroup, and
// its parents, in either version of control groups.
func limits(cgroup string) (files []string) {
	for line := range strings.Lines(cgroup) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) < 3 {
			continue
		}
		root, names := "/sys/fs/cgroup", []string{"memory.high", "memory.max"}
		if fields[1] != "" {
			root, names = "/sys/fs/cgroup/memory", []string{"memory.limit_in_bytes"}
		}
		if fields[1] != "" && !slices.Contains(strings.Split(fields[1], ","), "memory") {
			continue
		}
		for group := path.Join("/", fields[2]); ; group = path.Dir(group) {
			for _, name := range names {
				files = append(files, path.Join(root, group, name))
			}
			if group == "/" {
				break
			}
		}
	}
	return files
}
