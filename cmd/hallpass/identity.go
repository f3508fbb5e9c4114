package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hallpass/domain"
	"hallpass/projections"
)

// What the data directory keeps of the node itself.
const (
	nameFile        = "node-name"   // what the node is called unless it is told
	incarnationFile = "incarnation" // the life of the process that holds the directory's lock
	headFile        = "head"        // how far it had come; see eventstore.Head
)

// identityIn returns who this process is: name, or the one that is kept in the
// directory, and a new incarnation. Those that it finds written there have
// ended if they are of this start of this machine and of this very directory:
// whoever calls it holds the directory's lock, which holds no further than
// that. The leases of others are waited out. The new one is on the disk before
// anyone else can hear of it, so that it can't be forgotten however this process
// ends; the others stay there until settled.
func identityIn(dir string, name domain.NodeName) (projections.NodeConfig, error) {
	var cfg projections.NodeConfig
	var err error
	if cfg.Name = name; name == "" {
		if cfg.Name, err = keptName(filepath.Join(dir, nameFile)); err != nil {
			return cfg, err
		}
	}
	if cfg.Ended, err = keptIncarnations(dir); err != nil {
		return cfg, err
	}
	_, _ = rand.Read(cfg.Incarnation[:]) // never fails
	return cfg, keepIncarnations(dir, append(slices.Clone(cfg.Ended), cfg.Incarnation))
}

// settled says that the stream knows of those that have ended.
func settled(dir string, self projections.NodeConfig) error {
	return keepIncarnations(dir, []domain.Incarnation{self.Incarnation})
}

// keepIncarnations writes one line for each: itself, and where it lived.
func keepIncarnations(dir string, lives []domain.Incarnation) error {
	var text strings.Builder
	for _, i := range lives {
		fmt.Fprintf(&text, "%s %s\n", i, whereabouts(dir))
	}
	if err := writeFile(filepath.Join(dir, incarnationFile), []byte(text.String())); err != nil {
		return fmt.Errorf("keeping this process's incarnation: %w", err)
	}
	return nil
}

func keptName(path string) (domain.NodeName, error) {
	text, err := kept(path)
	if err != nil {
		return "", err
	}
	if text == "" {
		name := domain.NodeName("node-" + strings.ToLower(rand.Text()[:10]))
		if err := writeFile(path, []byte(name+"\n")); err != nil {
			return "", fmt.Errorf("keeping this node's name: %w", err)
		}
		return name, nil
	}
	name, err := domain.ParseNodeName(text)
	if err != nil {
		return "", fmt.Errorf("%s holds no name of a node: remove it, or give --node", path)
	}
	return name, nil
}

// keptIncarnations returns those in the file that lived here; none when there is
// no file, or nothing that can be read: then their leases are waited out.
func keptIncarnations(dir string) (lives []domain.Incarnation, _ error) {
	text, err := kept(filepath.Join(dir, incarnationFile))
	if err != nil {
		return nil, err
	}
	here := whereabouts(dir)
	for line := range strings.Lines(text) {
		life, where, _ := strings.Cut(strings.TrimSpace(line), " ")
		if i, err := domain.ParseIncarnation(life); err == nil && here != nowhere && where == here {
			lives = append(lives, i)
		}
	}
	return lives, nil
}

// nowhere is where this process lives if that can't be told.
const nowhere = "-"

// whereabouts names this start of this machine, and the directory itself rather
// than its path: a copy of it, or the same volume on another machine, is another.
func whereabouts(dir string) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id, ok := directoryID(dir)
	if err != nil || !ok {
		return nowhere
	}
	return strings.TrimSpace(string(boot)) + " " + id
}

// kept returns the text of a file; "" when there is none.
func kept(path string) (string, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading what the data directory keeps of this node: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
