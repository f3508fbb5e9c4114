package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hallpass/domain"
)

// rootFile is the file that holds the root token's secret beside the data, for
// whoever owns the machine. It is there whole or not at all, mode 0600.
//
// At a first start it is on the disk before the token is in the stream. A
// crash in between leaves a secret that opens nothing yet: the next start uses
// it. Written the other way round, a crash would leave a token that nobody
// holds the secret of.
type rootFile struct{ path string }

func rootFileIn(dir string) rootFile { return rootFile{filepath.Join(dir, rootTokenFile)} }

// Load returns the secret in the file; the zero Secret when there is no file.
// A file that holds something else is an error: it may be precious.
func (f rootFile) Load() (domain.Secret, error) {
	data, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return domain.Secret{}, nil
	case err != nil:
		return domain.Secret{}, fmt.Errorf("reading the root token: %w", err)
	}
	secret, err := domain.ParseSecret(strings.TrimSpace(string(data)))
	if err != nil {
		return domain.Secret{}, fmt.Errorf("%s holds something else than a secret: move it away", f.path)
	}
	return secret, nil
}

// Save puts the secret into the file, in place of what was there; it is on the
// disk when Save returns nil.
func (f rootFile) Save(secret domain.Secret) error {
	if err := writeFile(f.path, []byte(secret.Reveal()+"\n")); err != nil {
		return fmt.Errorf("keeping the root token: %w", err)
	}
	return nil
}

// Remove takes the file away: another node's secret became the root token.
func (f rootFile) Remove() error {
	if err := removeFile(f.path); err != nil {
		return fmt.Errorf("removing a root token that was not used: %w", err)
	}
	return nil
}
