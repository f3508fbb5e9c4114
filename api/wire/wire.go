package wire

import "time"

// Account as answered.
type Account struct {
	ID        string    `json:"id" doc:"Unique among all accounts."`
	Name      string    `json:"name"`
	State     string    `json:"state" enum:"open,suspended,closed"`
	CreatedAt time.Time `json:"created_at"`
	Revision  uint64    `json:"revision" doc:"Of the last record that changed it."`
	ManagedBy string    `json:"tokens_managed_by" enum:"any,sessions" doc:"Which of its tokens may manage its tokens: any that is allowed to, or sessions alone."`
	Receipt   *Receipt  `json:"receipt,omitempty" doc:"In the answer to a change that waited for all nodes."`
}

// OpenAccount is the body of POST /v1/accounts.
type OpenAccount struct {
	ID   string `json:"id" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"1 to 64 of A-Z a-z 0-9 _ and -."`
	Name string `json:"name,omitempty" maxLength:"255"`

	ManagedBy string `json:"tokens_managed_by,omitempty" enum:"any,sessions" default:"any"`
}

// Reason is the body of DELETE on a token and of suspend and close; its keys
// may stand in the query instead.
type Reason struct {
	Reason string `json:"reason,omitempty" enum:"unspecified,compromised,superseded,no_longer_needed,owner_left,policy" doc:"Why; default unspecified."`
	Text   string `json:"reason_text,omitempty" maxLength:"512" doc:"More of it."`
	Wait   string `json:"wait,omitempty" enum:"all,commit" doc:"What to wait for before the answer; default all."`
}

// Grant is a resource pattern and actions on it.
type Grant struct {
	Resource   string   `json:"resource" maxLength:"512" doc:"An absolute path. It covers itself and everything under it; a segment * is any one segment; / is everything."`
	Actions    []string `json:"actions" minItems:"1" maxItems:"64" doc:"Names, names with a final *, *, or the levels read and write."`
	Unverified bool     `json:"unverified,omitempty" doc:"The actions need not be in the catalogue."`
}

// Permissions is what a token may do.
type Permissions struct {
	Mode  string  `json:"mode,omitempty" enum:"union,first_match" default:"union" doc:"union: any allow grant will do. first_match: the first allow grant whose resource matches decides."`
	Allow []Grant `json:"allow" required:"false" maxItems:"256" doc:"What is allowed."`
	Deny  []Grant `json:"deny" required:"false" maxItems:"256" doc:"What is refused, whatever is allowed."`
}

// Token as answered. Secret is there only in answers that make one.
type Token struct {
	Account     string            `json:"account"`
	ID          string            `json:"id" doc:"Unique within the account."`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Tags        map[string]string `json:"tags"`
	Enabled     bool              `json:"enabled"`
	State       string            `json:"state" enum:"active,disabled,revoked"`
	Kind        string            `json:"kind" enum:"api,session"`
	Immutable   bool              `json:"immutable" doc:"It can only be revoked."`
	NotBefore   *time.Time        `json:"not_before" doc:"It does not work before then."`
	ExpiresAt   *time.Time        `json:"expires_at" doc:"It does not work from then on."`
	Permissions Permissions       `json:"permissions"`
	Conditions  *Conditions       `json:"conditions,omitempty" doc:"Absent: none."`
	Parent      string            `json:"parent,omitempty" doc:"The token that it was derived from: it may do nothing that this one may not, and ends with it."`
	Revealable  bool              `json:"revealable" doc:"Its secrets are kept sealed, so that they can be shown again."`
	Origin      string            `json:"origin,omitempty" doc:"The door that it was made through; absent: this API."`
	Imported    bool              `json:"imported,omitempty" doc:"Its first secret was brought along from another system."`
	IssuedBy    string            `json:"issued_by" doc:"account/token of the issuer; operator for the machine's."`
	CreatedAt   time.Time         `json:"created_at"`
	ModifiedAt  time.Time         `json:"modified_at"`
	Generation  uint64            `json:"generation" doc:"Counts how often the id was issued."`
	Revision    uint64            `json:"revision" doc:"Of the last record that changed it: its ETag."`
	Reason      string            `json:"reason,omitempty" doc:"Of the revoke."`
	ReasonText  string            `json:"reason_text,omitempty" doc:"Of the revoke."`
	LastUsed    *LastUsed         `json:"last_used" doc:"When the token was last used. null: not in this generation, or nobody has noted it yet: nodes note it every 30 s or so, and one that dies loses what it has not noted. It is no part of the token's revision or ETag, and is ignored in a PATCH."`
	Previous    *time.Time        `json:"previous_until,omitempty" doc:"Older secrets than the newest open it until then at the latest. Absent: there are none."`
	Retires     bool              `json:"retires_on_first_use,omitempty" doc:"The older secrets end when the newest is first used."`
	Secret      string            `json:"secret,omitempty" doc:"In the answers to issue, derive, rotate and the opening of a session, this once."`
	Receipt     *Receipt          `json:"receipt,omitempty" doc:"In the answer to a change that waited for all nodes."`
}

// EditToken is the body of PATCH …/tokens/{token}: a JSON merge patch. The
// pointer types are what takes null; clients that clear a field or a tag send
// their own map.
type EditToken struct {
	Name        *string            `json:"name,omitempty" maxLength:"255" nullable:"true"`
	Description *string            `json:"description,omitempty" maxLength:"1024" nullable:"true"`
	Tags        map[string]*string `json:"tags,omitempty" doc:"Merged; null takes a tag away."`
	Enabled     *bool              `json:"enabled,omitempty"`
	NotBefore   *time.Time         `json:"not_before,omitempty" nullable:"true"`
	ExpiresAt   *time.Time         `json:"expires_at,omitempty" nullable:"true"`
	Permissions *Permissions       `json:"permissions,omitempty" doc:"Merged; its lists are replaced."`
	Conditions  *Conditions        `json:"conditions,omitempty" doc:"Merged; its lists are replaced."`
}

// Rotate is the body of POST …/rotate.
type Rotate struct {
	Overlap int64  `json:"overlap,omitempty" minimum:"0" maximum:"2592000" default:"0" doc:"Seconds that older secrets stay valid, and never beyond the token's expiry."`
	Retires bool   `json:"retire_on_first_use,omitempty" doc:"Older secrets end when the new one is first used, and after the overlap at the latest, which is then 30 days when left out."`
	Wait    string `json:"wait,omitempty" enum:"all,commit" doc:"What to wait for before the answer; default commit."`
}

// Wait is the body of the changes that have no fields of their own.
type Wait struct {
	Wait string `json:"wait,omitempty" enum:"all,commit" doc:"What to wait for before the answer; default commit."`
}

// Check is the body of POST /v1/check and an item of POST /v1/checks.
type Check struct {
	Action     string `json:"action" doc:"The name of an action, or the bare level read or write."`
	Resource   string `json:"resource" maxLength:"512" doc:"One resource: an absolute path without *."`
	Secret     string `json:"secret,omitempty" doc:"Whose rights; without it the bearer's own."`
	Unverified bool   `json:"unverified,omitempty" doc:"The action need not be in the catalogue; it then counts as a write."`
	Address    string `json:"address,omitempty" maxLength:"64" doc:"Where the secret is used from. Without secret, instead of where this request comes from, it takes IntrospectToken on the bearer's own token. With secret and without this, it is not known, and tokens whose conditions name addresses are refused."`
}

// Decision answers a check.
type Decision struct {
	Allowed   bool     `json:"allowed"`
	Code      string   `json:"code" enum:"granted,unknown_secret,revoked,disabled,expired,not_yet_valid,account_suspended,no_grant,denied,wrong_address,outside_hours,sessions_only"`
	Reason    string   `json:"reason" doc:"The code as a sentence."`
	Grant     *Grant   `json:"grant" doc:"That allowed or denied it."`
	Account   string   `json:"account"`
	Token     string   `json:"token"`
	Ancestor  string   `json:"ancestor,omitempty" doc:"The token that it was derived from and on whose account it was refused."`
	Ancestors []string `json:"ancestors,omitempty" doc:"Of a derived token: what it was derived from, the parent first. What ends one of them ends it."`
	Revision  uint64   `json:"revision" doc:"The answer is at least as new."`
	Stale     bool     `json:"stale,omitempty" doc:"The node can't prove any more that the answer is current; only where its operator allows such answers."`
	AgeMS     int64    `json:"age_ms,omitempty" doc:"Of a stale answer: since the node could last prove it."`
}

// Checks is the body of POST /v1/checks.
type Checks struct {
	Checks []Check `json:"checks" maxItems:"1000"`
}

// Decisions answers POST /v1/checks, in order.
type Decisions struct {
	Results []Decision `json:"results"`
}

// List is one page. NextCursor is nil on the last.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor" doc:"For the next page; null on the last."`
}

// Actor is who an event was written by. The machine's operator has "operator"
// true and nothing else.
type Actor struct {
	Account    string `json:"account,omitempty"`
	Token      string `json:"token,omitempty"`
	Generation uint64 `json:"generation,omitempty"`
	Operator   bool   `json:"operator,omitempty" doc:"The machine itself: first start and reset."`
}

// Event is one record as shown: in …/events, and as the data of each
// Server-Sent Event.
type Event struct {
	ID         string         `json:"id" doc:"A ULID."`
	Type       string         `json:"type" doc:"As in token.issued."`
	Revision   uint64         `json:"revision"`
	Time       time.Time      `json:"time"`
	Account    string         `json:"account"`
	Token      string         `json:"token,omitempty"`
	Actor      Actor          `json:"actor"`
	Authorised uint64         `json:"authorised_at" doc:"The revision at which the actor was found entitled."`
	RequestID  string         `json:"request_id,omitempty"`
	Void       string         `json:"void,omitempty" doc:"Why the record changed nothing."`
	Change     map[string]any `json:"change" doc:"The event's own fields."`
}

// Whoami answers GET /v1/whoami.
type Whoami struct {
	Token
	AccountState string `json:"account_state"`
}

// Problem is every error's body (RFC 9457).
type Problem struct {
	Type      string         `json:"type" format:"uri-reference"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail"`
	Code      string         `json:"code" doc:"What programs act on."`
	Errors    []ProblemField `json:"errors,omitempty" doc:"The fields at fault."`
	RequestID string         `json:"request_id" doc:"As in X-Request-ID and the log."`
}

// ProblemField is one field at fault.
type ProblemField struct {
	Pointer string `json:"pointer" doc:"RFC 6901, into the body; /query/name for a parameter."`
	Detail  string `json:"detail" doc:"What is wrong, or what would be right."`
}

// Health answers GET /healthz.
type Health struct {
	Status string `json:"status"` // ok
}
