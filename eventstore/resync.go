package eventstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// storeDir holds what the server keeps, within a data directory.
const storeDir = "jetstream"

// Resync moves the copy of the stream that the stopped node of dir keeps to
// <dir>/damaged-<time>, whose path it returns: at its next start the node fills
// a new one from the other replicas, which must be in order. The server's own
// metadata goes too: it comes back from the other nodes in the same way, and a
// server whose metadata outlived its copy would take itself for current.
//
// It refuses the directory of a server that stands alone, which has nowhere to
// fill a copy from, and one that is in use.
func Resync(dir string) (moved string, err error) {
	was, err := readMode(dir)
	switch {
	case err != nil:
		return "", err
	case was == "":
		return "", fmt.Errorf("eventstore: %s is no data directory of hallpass", dir)
	case was == (mode{}).String():
		return "", fmt.Errorf("eventstore: the data directory %s belongs to a server that stands alone: "+
			"there is no other copy to fill it from; restore it from a backup", dir)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return "", err
	}
	defer lock.release()
	from := filepath.Join(dir, storeDir)
	if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("eventstore: the data directory %s holds no copy of the stream: "+
			"start the node, and it fills one", dir)
	}
	moved = filepath.Join(dir, "damaged-"+time.Now().UTC().Format("20060102T150405.000Z"))
	if err := os.Rename(from, moved); err != nil {
		return "", fmt.Errorf("eventstore: the copy of the stream in %s can't be moved: %w", dir, err)
	}
	return moved, syncDir(dir)
}
