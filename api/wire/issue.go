package wire

import "time"

// Conditions bound where a token works from, and when in the day.
type Conditions struct {
	Allow  []string `json:"allow,omitempty" maxItems:"128" doc:"Addresses and prefixes that it works from, like 192.0.2.7 or 2001:db8::/32. None: from everywhere. With deny at most 128."`
	Deny   []string `json:"deny,omitempty" maxItems:"128" doc:"Those that it never works from, allowed or not."`
	Window *Window  `json:"window,omitempty" doc:"The hours of every day in which it works. None: all day."`
}

// Window is a part of every day by the clock on the wall of a time zone.
type Window struct {
	From string `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"As in 08:00."`
	To   string `json:"to" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"Until before then; where it is not after from, on the next day."`
	Zone string `json:"zone" maxLength:"64" doc:"A name of the IANA database: Europe/Zurich, UTC."`
}

// IssueToken is the body of POST …/tokens and of POST …/derive.
type IssueToken struct {
	ID          string            `json:"id,omitempty" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"1 to 64 of A-Z a-z 0-9 _ and -; a ULID is made when it is left out."`
	Name        string            `json:"name,omitempty" maxLength:"255"`
	Description string            `json:"description,omitempty" maxLength:"1024"`
	Tags        map[string]string `json:"tags,omitempty" maxProperties:"64" doc:"Keys of 1 to 64 bytes, values of at most 256."`
	Enabled     *bool             `json:"enabled,omitempty" default:"true"`
	Kind        string            `json:"kind,omitempty" enum:"api" default:"api" doc:"Sessions are opened at /v1/sessions."`
	Immutable   bool              `json:"immutable,omitempty" doc:"It can then only be revoked."`
	NotBefore   *time.Time        `json:"not_before,omitempty" nullable:"true"`
	ExpiresAt   *time.Time        `json:"expires_at,omitempty" nullable:"true" doc:"May lie in the past. Of a derived token: its parent's when left out, and never later."`
	Permissions *Permissions      `json:"permissions,omitempty" doc:"Of a derived token: its parent's when left out, and never more."`
	Conditions  *Conditions       `json:"conditions,omitempty"`
	Revealable  bool              `json:"revealable,omitempty" doc:"Its secrets are kept sealed, so that they can be shown again. Takes a keyring on this node."`
	Secret      string            `json:"secret,omitempty" maxLength:"4096" doc:"One brought along from another system, which no answer shows. Refused where it could be guessed, unless the operator allows that."`
	Origin      string            `json:"origin,omitempty" enum:"crafter,nbiot,thinger" doc:"The door that it is to seem made through: whose clients see it in their lists. It gives no right. With secret, an id that is left out is made of the secret. Absent: this API."`
	Digest      string            `json:"digest,omitempty" pattern:"^sha256:[0-9a-fA-F]{64}$" doc:"The SHA-256 of such a secret, in place of it."`
}

// OpenSession is the body of POST /v1/sessions.
type OpenSession struct {
	Account   string `json:"account,omitempty" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"To manage; the bearer's own when left out."`
	ExpiresIn int64  `json:"expires_in,omitempty" minimum:"1" maximum:"43200" default:"3600" doc:"Seconds that it lasts."`
	Name      string `json:"name,omitempty" maxLength:"255" doc:"For people: who is behind it."`
}

// EditAccount is the body of PATCH …/accounts/{account}: a JSON merge patch.
type EditAccount struct {
	Name            *string `json:"name,omitempty" maxLength:"255" nullable:"true"`
	TokensManagedBy *string `json:"tokens_managed_by,omitempty" enum:"any,sessions" doc:"Which of its tokens may manage its tokens: any that is allowed to, or sessions alone. Tokens of the account root may in any case."`
}
