package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"hallpass/domain"
)

// Keyring is what secrets are sealed with that may be shown again: keys by id,
// one of which is current. It is a value: nothing of it changes. No key is ever
// printed; Encode alone gives them away.
type Keyring struct {
	keys    []sealingKey // oldest first
	current int          // of keys; -1: there is none
}

// sealingKey keeps its bits in a function, where nothing that prints what it is
// in can look.
type sealingKey struct {
	id      domain.KeyID
	created time.Time
	bits    func() []byte // of keySize, not to be changed
}

// KeyInfo is what may be told of a key.
type KeyInfo struct {
	ID      domain.KeyID
	Created time.Time
	Current bool // new secrets are sealed with it
}

const (
	keyringVersion = 1
	keySize        = 32 // of AES-256
)

// keyringFile is a keyring as it is kept.
type keyringFile struct {
	Version int       `json:"version"`
	Current string    `json:"current"`
	Keys    []keyFile `json:"keys"`
}

type keyFile struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Key     []byte    `json:"key"` // base64
}

// ParseKeyring reads what Encode wrote. Its errors say what is wrong, and
// never hold anything of data.
func ParseKeyring(data []byte) (*Keyring, error) {
	var f keyringFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, errors.New(`it is not a keyring: JSON like {"version":1,"current":ID,"keys":[{"id":ID,"created":TIME,"key":BASE64}]}`)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something stands behind the end of the keyring")
	}
	if f.Version != keyringVersion {
		return nil, fmt.Errorf("it is a keyring of version %d, and this program reads version %d", f.Version, keyringVersion)
	}
	if len(f.Keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	k := &Keyring{current: -1}
	for i, in := range f.Keys {
		id := domain.KeyID(in.ID)
		switch {
		case !validKeyID(in.ID):
			return nil, fmt.Errorf("the id of key %d is not 1 to 64 of the characters A-Z a-z 0-9 _ and -", i+1)
		case k.find(id) != nil:
			return nil, fmt.Errorf("key %d has the id of another key", i+1)
		case len(in.Key) != keySize:
			return nil, fmt.Errorf("key %d has %d bytes, and must have %d", i+1, len(in.Key), keySize)
		case in.ID == f.Current:
			k.current = i
		}
		k.keys = append(k.keys, sealingKey{id, in.Created, func() []byte { return in.Key }})
	}
	if k.current < 0 {
		return nil, errors.New("its current key is not among its keys")
	}
	return k, nil
}

// validKeyID takes what events take as the id of a key.
func validKeyID(s string) bool {
	_, err := domain.ParseTokenID(s)
	return err == nil
}

// Encode returns the keyring with its keys, as it is kept.
func (k *Keyring) Encode() []byte {
	f := keyringFile{Version: keyringVersion, Current: string(k.Current())}
	for _, key := range k.keys {
		f.Keys = append(f.Keys, keyFile{string(key.id), key.created, key.bits()})
	}
	data, _ := json.MarshalIndent(f, "", "  ") // strings, times and bytes: it can't fail
	return append(data, '\n')
}

// Add returns the keyring with a key made of those bits, which is the current
// one. k may be nil.
func (k *Keyring) Add(id domain.KeyID, created time.Time, bits [keySize]byte) (*Keyring, error) {
	out := &Keyring{}
	if k != nil {
		out.keys = slices.Clone(k.keys)
	}
	if !validKeyID(string(id)) || out.find(id) != nil {
		return nil, errors.New("the id of a new key is taken, or not one")
	}
	out.keys = append(out.keys, sealingKey{id, created.UTC().Truncate(time.Second), func() []byte { return bits[:] }})
	out.current = len(out.keys) - 1
	return out, nil
}

// Without returns the keyring without that key, which must be there and not be
// the current one.
func (k *Keyring) Without(id domain.KeyID) (*Keyring, error) {
	at := slices.IndexFunc(k.keys, func(key sealingKey) bool { return key.id == id })
	switch {
	case at < 0:
		return nil, errors.New("the keyring has no key with that id: 'hallpass keyring list' shows those that it has")
	case at == k.current:
		return nil, errors.New("that key is the current one: 'hallpass keyring rotate' makes another one current")
	}
	out := &Keyring{keys: slices.Delete(slices.Clone(k.keys), at, at+1), current: k.current}
	if at < k.current {
		out.current--
	}
	return out, nil
}

// Current returns the id of the key that new secrets are sealed with; "" if k
// is nil.
func (k *Keyring) Current() domain.KeyID {
	if k == nil {
		return ""
	}
	return k.keys[k.current].id
}

// Keys tells of all keys, oldest first; of none if k is nil.
func (k *Keyring) Keys() []KeyInfo {
	if k == nil {
		return nil
	}
	out := make([]KeyInfo, len(k.keys))
	for i, key := range k.keys {
		out[i] = KeyInfo{key.id, key.created, i == k.current}
	}
	return out
}

// Has tells whether the keyring has that key. k may be nil.
func (k *Keyring) Has(id domain.KeyID) bool { return k != nil && k.find(id) != nil }

// older tells whether k has that key, and it stands before the current one.
func (k *Keyring) older(id domain.KeyID) bool {
	return slices.ContainsFunc(k.keys[:k.current], func(key sealingKey) bool { return key.id == id })
}

func (k *Keyring) find(id domain.KeyID) *sealingKey {
	for i := range k.keys {
		if k.keys[i].id == id {
			return &k.keys[i]
		}
	}
	return nil
}

const redactedKeys = "[redacted keyring]"

func (Keyring) String() string               { return redactedKeys }
func (Keyring) LogValue() slog.Value         { return slog.StringValue(redactedKeys) }
func (Keyring) MarshalText() ([]byte, error) { return []byte(redactedKeys), nil }

// Format redacts the keyring for every verb and flag.
func (Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedKeys) }

// Format redacts the key for every verb and flag.
func (sealingKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedKeys) }

// Format redacts the key for every verb and flag.
func (keyFile) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedKeys) }
