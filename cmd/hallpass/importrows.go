package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"time"

	"hallpass/api"
	"hallpass/api/client"
	"hallpass/api/wire"
	"hallpass/domain"
)

// importRun takes over the rows of one export.
type importRun struct {
	dialect   *dialect
	client    *client.Client
	account   string
	absent    bool // there is no such account, and a dry run makes none
	dry       bool
	published bool // take those secrets
}

// rowOutcome is what came of a row.
type rowOutcome struct {
	Row     int    `json:"row"` // from 1
	Line    int    `json:"line"`
	Outcome string `json:"outcome"`
	Token   string `json:"token,omitempty"` // the native id
	Note    string `json:"note,omitempty"`
}

// Outcomes of a row.
const (
	imported   = "imported"
	importable = "importable" // in a dry run
	present    = "present"    // and the same
	differs    = "differs"    // from what is there, which stays
	refused    = "refused"
)

var outcomes = []string{imported, importable, present, differs, refused}

// rows takes over one row after the other. An error says why it stopped at the
// row after the last outcome: the server, or the caller's credential, is at fault.
func (r *importRun) rows(ctx context.Context, rows []exported) ([]rowOutcome, error) {
	out := []rowOutcome{}
	if !r.absent {
		// Without that right a revoked secret looks like one that nobody has.
		may, err := r.client.Check(ctx, wire.Check{Action: "IntrospectToken", Resource: "/token"})
		if err != nil {
			return out, err
		}
		if !may.Allowed {
			return out, errors.New("an import asks whose each secret is: the credential needs IntrospectToken on /token")
		}
	}
	before := map[domain.Digest]int{}
	for i, row := range rows {
		o := rowOutcome{Row: i + 1, Line: row.line}
		in, err := r.dialect.read(row.data)
		switch {
		case err != nil:
			o.Outcome, o.Note = refused, reasonOf(err)
		case before[in.Secret.Digest()] != 0:
			o.Outcome, o.Note = refused, fmt.Sprintf("it has the secret of row %d", before[in.Secret.Digest()])
		case r.dialect.published != nil && !r.published && r.dialect.published(in.Secret.Reveal()):
			o.Outcome, o.Note = refused, "the vendor ships this secret to everybody: make a new one, or give --allow-published"
		default:
			before[in.Secret.Digest()] = o.Row
			if err := r.take(ctx, &o, &in); err != nil {
				return out, err
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// take takes one token over. Its errors end the run.
func (r *importRun) take(ctx context.Context, o *rowOutcome, in *api.Import) error {
	if found, err := r.look(ctx, o, in); err != nil || found {
		return err
	}
	if r.dry {
		o.Outcome, o.Token = importable, string(in.Token)
		if _, err := domain.ImportSecret(in.Secret.Reveal(), false); err != nil {
			o.Note = "the secret could be guessed: only a server with --allow-weak-secrets takes it"
		}
		return nil
	}
	made, _, err := r.client.IssueToken(ctx, r.account, in.Body())
	if err != nil {
		return o.refuse(err)
	}
	o.Outcome, o.Token = imported, made.ID
	return nil
}

// look finds out whether the token is there already, before anything is written:
// what was revoked must not come back. To ask whose a secret is counts as a use of
// it, where there is one.
func (r *importRun) look(ctx context.Context, o *rowOutcome, in *api.Import) (bool, error) {
	if r.absent {
		return false, nil
	}
	if in.Token != "" {
		have, err := r.client.Token(ctx, r.account, string(in.Token))
		switch {
		case client.Code(err) == "not_found":
		case err != nil:
			return true, o.refuse(err)
		case have.State == "revoked":
			o.Token, o.Outcome, o.Note = have.ID, refused, revokedHere
			return true, nil
		default:
			found, err := r.holder(ctx, o, in)
			if err == nil && (!found || o.Token != have.ID) {
				o.Token, o.Outcome, o.Note = have.ID, differs, "there is a token with this id and another secret"
			}
			return true, err
		}
	}
	return r.holder(ctx, o, in)
}

const revokedHere = "it was revoked here, and does not come back by an import"

// holder says what is there with that secret; false if nothing is.
func (r *importRun) holder(ctx context.Context, o *rowOutcome, in *api.Import) (bool, error) {
	d, err := r.client.Check(ctx, wire.Check{Action: domain.ActionRead, Resource: "/", Secret: in.Secret.Reveal()})
	if err != nil || d.Token == "" {
		return false, err
	}
	if d.Account != r.account {
		o.Outcome, o.Note = refused, "the secret belongs to a token of the account "+d.Account
		return true, nil
	}
	have, err := r.client.Token(ctx, d.Account, d.Token)
	if err != nil {
		return true, o.refuse(err)
	}
	o.Token = have.ID
	switch wrong := differences(in.Body(), have); {
	case have.State == "revoked":
		o.Outcome, o.Note = refused, revokedHere
	case d.Code == string(domain.WasRevoked):
		o.Outcome, o.Note = differs, "the token was given another secret here"
	case len(wrong) > 0:
		o.Outcome, o.Note = differs, "what is there has another "+strings.Join(wrong, ", ")
	default:
		o.Outcome = present
	}
	return true, nil
}

// differences names the fields in which what is there is not what was asked for.
func differences(want wire.IssueToken, have wire.Token) (names []string) {
	for _, f := range []struct {
		name string
		same bool
	}{
		{"id", want.ID == "" || want.ID == have.ID},
		{"name", want.Name == have.Name},
		{"description", want.Description == have.Description},
		{"tags", maps.Equal(want.Tags, have.Tags)},
		{"state", *want.Enabled == have.Enabled},
		{"expiry", sameTime(want.ExpiresAt, have.ExpiresAt)},
		{"start", sameTime(want.NotBefore, have.NotBefore)},
		{"permissions", samePermissions(*want.Permissions, have.Permissions)},
		{"immutability", want.Immutable == have.Immutable},
		{"origin", want.Origin == have.Origin},
	} {
		if !f.same {
			names = append(names, f.name)
		}
	}
	return names
}

func sameTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

func samePermissions(a, b wire.Permissions) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// refuse notes why the server refused the row. What is no matter of the row is
// returned: the run ends.
func (o *rowOutcome) refuse(err error) error {
	var p *client.Problem
	if !errors.As(err, &p) || p.Status >= http.StatusInternalServerError || p.Status == http.StatusUnauthorized {
		return err
	}
	o.Outcome, o.Note = refused, p.Error()
	return nil
}

// reasonOf is why a row can't be read, for people.
func reasonOf(err error) string {
	var e *domain.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.Detail == "" && len(e.Fields) > 0 {
		return e.Fields[0].Pointer + ": " + e.Fields[0].Detail
	}
	return e.Detail
}
