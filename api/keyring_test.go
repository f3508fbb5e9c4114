package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"hallpass/domain"
)

// ring returns a keyring with a key for each id, the last of which is current.
// The same id is always the same key.
func ring(ids ...domain.KeyID) *Keyring {
	var k *Keyring
	for _, id := range ids {
		bits := [keySize]byte([]byte(strings.Repeat("k"+string(id), keySize)))
		var err error
		if k, err = k.Add(id, time.Unix(1700000000, 0), bits); err != nil {
			panic(err)
		}
	}
	return k
}

func TestAKeyringReadsWhatItWrote(t *testing.T) {
	k := ring("a", "b", "c")
	again, err := ParseKeyring(k.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Encode(), k.Encode()) || again.Current() != "c" || !slices.Equal(again.Keys(), k.Keys()) {
		t.Errorf("got %v of %v", again.Keys(), k.Keys())
	}
}

func TestParseKeyringRefuses(t *testing.T) {
	key := func(id string, size int) string {
		return `{"id":"` + id + `","created":"2026-01-02T03:04:05Z","key":"` + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xA5}, size)) + `"}`
	}
	file := func(version, current string, keys ...string) string {
		return `{"version":` + version + `,"current":"` + current + `","keys":[` + strings.Join(keys, ",") + `]}`
	}
	if _, err := ParseKeyring([]byte(file("1", "a", key("a", 32)))); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ data, want string }{
		"nothing":          {"", "it is not a keyring"},
		"half of it":       {file("1", "a", key("a", 32))[:60], "it is not a keyring"},
		"another file":     {"hp_4iP0Dq", "it is not a keyring"},
		"an unknown field": {`{"version":1,"current":"a","keys":[],"kdf":1}`, "it is not a keyring"},
		"no base64":        {`{"version":1,"current":"a","keys":[{"id":"a","key":"!"}]}`, "it is not a keyring"},
		"two values":       {file("1", "a", key("a", 32)) + "{}", "behind the end"},
		"another version":  {file("2", "a", key("a", 32)), "version 2"},
		"no keys":          {file("1", "a"), "no key"},
		"a short key":      {file("1", "a", key("a", 16)), "key 1 has 16 bytes, and must have 32"},
		"a long key":       {file("1", "a", key("a", 33)), "key 1 has 33 bytes"},
		"no id":            {file("1", "", key("", 32)), "the id of key 1"},
		"a bad id":         {file("1", "a.b", key("a.b", 32)), "the id of key 1"},
		"one id twice":     {file("1", "a", key("a", 32), key("a", 32)), "key 2 has the id of another"},
		"current missing":  {file("1", "b", key("a", 32)), "its current key"},
		"no current":       {file("1", "", key("a", 32)), "its current key"},
	} {
		k, err := ParseKeyring([]byte(row.data))
		if err == nil || k != nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
		if err != nil && strings.Contains(err.Error(), "paWl") {
			t.Errorf("%s: the error holds a key", name)
		}
	}
}

func TestKeysOfAKeyring(t *testing.T) {
	k := ring("a", "b", "c")
	if !k.older("a") || !k.older("b") || k.older("c") || k.older("d") {
		t.Error("older than the current one are those before it")
	}
	if _, err := k.Without("c"); err == nil {
		t.Error("the current key was taken out")
	}
	if _, err := k.Without("d"); err == nil {
		t.Error("a key was taken out that is not there")
	}
	if _, err := k.Add("b", time.Now(), [keySize]byte{}); err == nil {
		t.Error("an id was given twice")
	}
	less, err := k.Without("a")
	if err != nil || less.Has("a") || !less.Has("b") || less.Current() != "c" || !k.Has("a") {
		t.Errorf("without a: %v, %v", less.Keys(), err)
	}
	var none *Keyring
	if none.Has("a") || none.Current() != "" || none.Keys() != nil {
		t.Error("no keyring has no keys")
	}
}

// However a keyring, or what holds one, is printed: no key.
func TestKeyringsPrintAsRedacted(t *testing.T) {
	k := ring("SECRETKEY", "x")
	var f keyringFile
	if err := json.Unmarshal(k.Encode(), &f); err != nil {
		t.Fatal(err)
	}
	around := struct {
		Exported *Keyring
		Value    Keyring
		hidden   *Keyring
		value    Keyring
		key      sealingKey
	}{k, *k, k, *k, k.keys[0]}
	var logged bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&logged, nil))
	jsonLogger := slog.New(slog.NewJSONHandler(&logged, nil))
	logger.Info("x", "k", k, "v", *k, "f", f, "a", around, "key", k.keys[0])
	jsonLogger.Info("x", "k", k, "v", *k, "a", around, "key", k.keys[0])
	for _, v := range []any{k, *k, &k, around, &around, k.keys, k.keys[0], f.Keys, f.Keys[0], ServiceConfig{Keyring: func() *Keyring { return k }}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&logged, verb+"\n", v)
		}
		data, _ := json.Marshal(around)
		logged.Write(data)
	}
	bits := k.keys[0].bits()
	for _, out := range []string{
		string(bits), base64.StdEncoding.EncodeToString(bits)[:8], fmt.Sprintf("%x", bits)[:16], fmt.Sprintf("%X", bits)[:16],
		fmt.Sprintf("%d %d %d %d", bits[0], bits[1], bits[2], bits[3]), `0x6b, 0x53, 0x45`,
	} {
		if strings.Contains(logged.String(), out) {
			t.Errorf("a key got out as %s", out)
		}
	}
	if !strings.Contains(logged.String(), "redacted") {
		t.Error("nothing was printed at all")
	}
}

func TestASealedSecretOpensForItsTokenAlone(t *testing.T) {
	k, secret := ring("a", "b"), secretOf(7)
	sealed, err := k.seal("acme", "t", secret)
	if err != nil {
		t.Fatal(err)
	}
	if sealed.Key != "b" || len(sealed.Box) > domain.MaxSealed || bytes.Contains(sealed.Box, []byte(secret.Reveal()[3:20])) {
		t.Errorf("sealed under %s in %d bytes", sealed.Key, len(sealed.Box))
	}
	again, err := k.seal("acme", "t", secret)
	if err != nil || bytes.Equal(again.Box, sealed.Box) {
		t.Error("the same secret gives the same box twice")
	}
	held := domain.Held{Digest: secret.Digest(), Sealed: sealed}
	if got, err := k.open("acme", "t", held); err != nil || got != secret {
		t.Fatalf("got %v", err)
	}
	if got, err := ring("b", "c").open("acme", "t", held); err != nil || got != secret {
		t.Errorf("under a key that is current no more: %v", err)
	}
	imposter, err := (*Keyring)(nil).Add("b", time.Now(), [keySize]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	altered := func(change func(box []byte) []byte) domain.Held {
		return domain.Held{Digest: held.Digest, Sealed: &domain.Sealed{Key: "b", Box: change(bytes.Clone(sealed.Box))}}
	}
	for name, row := range map[string]struct {
		k       *Keyring
		account domain.AccountID
		token   domain.TokenID
		held    domain.Held
	}{
		"another token":      {k, "acme", "u", held},
		"another account":    {k, "acm", "t", held},
		"ids moved over":     {k, "acmet", "", held},
		"another digest":     {k, "acme", "t", domain.Held{Digest: secretOf(8).Digest(), Sealed: sealed}},
		"another key's id":   {k, "acme", "t", domain.Held{Digest: held.Digest, Sealed: &domain.Sealed{Key: "a", Box: sealed.Box}}},
		"the id of another":  {imposter, "acme", "t", held},
		"a flipped nonce":    {k, "acme", "t", altered(func(b []byte) []byte { b[0] ^= 1; return b })},
		"a flipped byte":     {k, "acme", "t", altered(func(b []byte) []byte { b[20] ^= 1; return b })},
		"a flipped tag":      {k, "acme", "t", altered(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
		"cut short":          {k, "acme", "t", altered(func(b []byte) []byte { return b[:len(b)-1] })},
		"nothing but a byte": {k, "acme", "t", altered(func([]byte) []byte { return []byte{1} })},
	} {
		got, err := row.k.open(row.account, row.token, row.held)
		if !errors.Is(err, errBoxDiffers) || !got.IsZero() {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, k := range map[string]*Keyring{"no keyring": nil, "the key is not in it": ring("a")} {
		if got, err := k.open("acme", "t", held); domain.CodeOf(err) != domain.CodeKeyMissing || !got.IsZero() {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := (*Keyring)(nil).seal("acme", "t", secret); domain.CodeOf(err) != domain.CodeKeyMissing {
		t.Errorf("sealing without a keyring: %v", err)
	}
}

// The longest secret that may be brought along still fits.
func TestTheLongestSecretCanBeSealed(t *testing.T) {
	secret, err := domain.ParseBearer(strings.Repeat("x", domain.MaxBearer))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := ring("a").seal("acme", "t", secret)
	if err != nil || len(sealed.Box) > domain.MaxSealed {
		t.Errorf("%d bytes, %v", len(sealed.Box), err)
	}
}
