package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
// directory, and a new incarnation. The incarnation that it finds in the
// directory has ended: whoever calls it holds the directory's lock. The new one
// is on the disk before anyone else can hear of it, so that it can't be
// forgotten however this process ends.
func identityIn(dir string, name domain.NodeName) (projections.NodeConfig, error) {
	var cfg projections.NodeConfig
	var err error
	if cfg.Name = name; name == "" {
		if cfg.Name, err = keptName(filepath.Join(dir, nameFile)); err != nil {
			return cfg, err
		}
	}
	path := filepath.Join(dir, incarnationFile)
	if cfg.Ended, err = keptIncarnation(path); err != nil {
		return cfg, err
	}
	_, _ = rand.Read(cfg.Incarnation[:]) // never fails
	if err := writeFile(path, []byte(cfg.Incarnation.String()+"\n")); err != nil {
		return cfg, fmt.Errorf("keeping this process's incarnation: %w", err)
	}
	return cfg, nil
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

// keptIncarnation returns the incarnation in the file; the zero one when there
// is no file, or nothing that can be read: then its lease is waited out.
func keptIncarnation(path string) (domain.Incarnation, error) {
	text, err := kept(path)
	if err != nil {
		return domain.Incarnation{}, err
	}
	i, err := domain.ParseIncarnation(text)
	if err != nil {
		return domain.Incarnation{}, nil
	}
	return i, nil
}

// kept returns the one line of a file; "" when there is none.
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
