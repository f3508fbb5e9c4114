package api

import (
	"encoding/hex"
	"errors"
	"strings"

	"hallpass/api/wire"
	"hallpass/domain"
)

// Import is a token that comes with its secret: as another system exported it, or
// as a fresh installation of that has it. It has no account and no digest yet.
type Import struct {
	domain.IssueToken
	Secret     domain.Secret
	Revealable bool
}

// Body is what makes such a token over the native API. It holds the secret.
func (i *Import) Body() wire.IssueToken {
	enabled, permissions := !i.Disabled, wirePermissions(i.Permissions)
	return wire.IssueToken{
		ID: string(i.Token), Name: i.Name, Description: i.Description, Tags: wireTags(i.Tags),
		Enabled: &enabled, Immutable: i.Immutable, NotBefore: wireTime(i.NotBefore), ExpiresAt: wireTime(i.ExpiresAt),
		Permissions: &permissions, Conditions: wireConditions(i.Conditions),
		Revealable: i.Revealable, Secret: i.Secret.Reveal(), Origin: i.Origin,
	}
}

// brought is a secret from another system: in clear, or its digest alone.
type brought struct {
	secret domain.Secret
	digest domain.Digest // zero: none was brought
}

const digestPrefix = "sha256:"

// brought reads the secret that a new token is to have. No fault repeats it.
func (b *binder) brought(in wire.IssueToken, allowWeak bool) brought {
	switch {
	case in.Secret == "" && in.Digest == "":
		return brought{}
	case in.Secret != "" && in.Digest != "":
		b.fault("/digest", "stands beside secret: send one of them")
		return brought{}
	case in.Secret != "":
		secret, err := domain.ImportSecret(in.Secret, allowWeak)
		if err != nil {
			b.nested("", err)
			return brought{}
		}
		return brought{secret, secret.Digest()}
	}
	if in.Revealable {
		b.fault("/revealable", "takes the secret itself: a digest can't be shown as one")
	}
	var d domain.Digest
	text, ok := strings.CutPrefix(in.Digest, digestPrefix)
	if n, err := hex.Decode(d[:], []byte(text[:min(len(text), 2*len(d))])); !ok || err != nil || n != len(d) || len(text) != 2*len(d) || d.IsZero() {
		b.fault("/digest", "is sha256: and the 64 hex digits of a secret's SHA-256")
		return brought{}
	}
	return brought{digest: d}
}

// secretFor gives the command the secret that was brought, or a new one, which
// it returns; zero where only a digest was brought. What is brought for the
// clients of a dialect has the id that the dialect would look for, unless it has
// another.
func (c *call) secretFor(cmd *domain.IssueToken, given brought) (domain.Secret, error) {
	if !given.digest.IsZero() {
		cmd.Digest, cmd.Imported = given.digest, true
		if cmd.Token == "" && cmd.Origin != "" && !given.secret.IsZero() {
			cmd.Token = c.h.svc.DerivedID(given.secret)
		}
		return given.secret, nil
	}
	secret, err := c.h.svc.NewSecret()
	if err != nil {
		return domain.Secret{}, err
	}
	cmd.Digest = secret.Digest()
	return secret, nil
}

// unowned refuses to bring a secret that is known here to belong to another
// token, or to have belonged to it: it could never open this one. What is not
// known here yet, the fold finds out.
func (w *write) unowned(e domain.Event) error {
	issued, ok := e.(domain.TokenIssued)
	if !ok || !issued.Imported {
		return nil
	}
	if owner, ok := w.proj.Index.Owner(issued.Digest); ok && owner != w.target {
		return errSecretTaken
	}
	return nil
}

// SecretTaken tells whether err refuses a token because its secret is, or was,
// another one's: its code says conflict alone.
func SecretTaken(err error) bool {
	var e *domain.Error
	return errors.As(err, &e) && (e == errSecretTaken || e == errSecretLost)
}

var errSecretTaken = domain.Errorf(domain.CodeConflict, "this secret belongs to another token, or once did, and can open no other; nothing was changed")
