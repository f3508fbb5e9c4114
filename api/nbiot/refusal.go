package nbiot

import (
	"errors"
	"net/http"

	"hallpass/api"
	"hallpass/domain"
)

// refusal is an error as the platform's clients know it.
type refusal struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

func (r refusal) Error() string { return r.Message }

// What this door refuses by itself.
var (
	errNoPath          = refusal{http.StatusNotFound, "nothing is served at this path"}
	errMethod          = refusal{http.StatusBadRequest, "this path does not take this method"}
	errNoCredential    = refusal{http.StatusUnauthorized, "send a token as X-API-Token"}
	errManyCredentials = refusal{http.StatusUnauthorized, "send one token, as X-API-Token or as Authorization: Bearer"}
	errNoSession       = refusal{http.StatusUnauthorized, "tokens are managed with a login session, not with an API token"}
	errNotCovered      = refusal{http.StatusForbidden, "the token does not cover this"}
	errNoToken         = refusal{http.StatusNotFound, "there is no such token"}
	errNoTag           = refusal{http.StatusNotFound, "the token has no such tag"}
	errBeyond          = refusal{http.StatusConflict, "the token was given permissions that a resource and a write flag can't say; edit them where that was done"}
	errHoldsSecret     = refusal{http.StatusBadRequest, "a tag or a resource must not hold a token's secret"}
)

// Codes of the api's doors.
const (
	codeBadJSON  domain.Code = "bad_json"
	codeBadPath  domain.Code = "bad_path"
	codeTooLarge domain.Code = "body_too_large"
	codeEncoding domain.Code = "unsupported_encoding"
	codeTimeout  domain.Code = "request_timeout"
	codeTooOften domain.Code = "rate_limited"
)

// refusals is the one place where codes meet this door's statuses. No message:
// the error's own, which says what is wrong with the request.
var refusals = map[domain.Code]refusal{
	codeBadJSON:           {Status: http.StatusBadRequest},
	codeBadPath:           {Status: http.StatusBadRequest},
	codeTooLarge:          {Status: http.StatusBadRequest},
	codeEncoding:          {Status: http.StatusBadRequest},
	codeTimeout:           {Status: http.StatusBadRequest},
	domain.CodeInvalid:    {Status: http.StatusBadRequest},
	domain.CodeTooLarge:   {Status: http.StatusBadRequest},
	domain.CodeNotFound:   errNoToken,
	domain.CodeRevoked:    errNoToken,
	domain.CodeInternal:   {http.StatusInternalServerError, "something went wrong here; X-Request-Id finds it in the log"},
	domain.CodeKeyMissing: {http.StatusServiceUnavailable, "this node lacks the key that tokens are kept with: it can't make them, nor show them"},

	domain.CodeUnauthorized: {http.StatusUnauthorized, "the token does not work"},
	domain.CodeForbidden:    {http.StatusForbidden, "the session may not do this, or not hand this out"},
	domain.CodeActorRevoked: {http.StatusForbidden, "the session ended, or lost rights, before this was done; nothing was changed"},

	domain.CodeExists:        {http.StatusConflict, "there is such a token; nothing was changed"},
	domain.CodeConflict:      {http.StatusConflict, "others kept changing the token; nothing was changed"},
	domain.CodePrecondition:  {http.StatusConflict, "others kept changing the token; nothing was changed"},
	domain.CodeImmutable:     {http.StatusConflict, "the token can't be changed, only deleted"},
	domain.CodeAccountClosed: {http.StatusConflict, "the account is closed"},
	domain.CodeLastManager:   {http.StatusConflict, "no other token could manage the account's tokens; nothing was changed"},

	codeTooOften: {http.StatusTooManyRequests, "the account's tokens were listed too often; Retry-After says when to try again"},

	domain.CodeStale:          {http.StatusServiceUnavailable, "this node can't vouch for being current; try again"},
	domain.CodeNotReady:       {http.StatusServiceUnavailable, "this node can't take the request yet; try again"},
	domain.CodeUnknown:        {http.StatusServiceUnavailable, "whether the change happened could not be learned in time; look before trying again"},
	domain.CodeReplicaDamaged: {http.StatusServiceUnavailable, "whether the change happened could not be learned; look before trying again"},
	domain.CodeNotFenced:      {http.StatusServiceUnavailable, "the change is stored, but some node may go by the old rights for some seconds; ask for the same again"},
	domain.CodeHistoryDiffers: {http.StatusServiceUnavailable, "the change is stored, but a node holds another history"},
	domain.CodeStreamFull:     {http.StatusServiceUnavailable, "nothing can be stored; nothing was changed"},
	domain.CodeUpgrading:      {http.StatusServiceUnavailable, "the cluster is being upgraded; nothing was changed"},
}

// refusalOf returns what err is answered with. What has no row is internal.
func refusalOf(v *api.Visit, err error) refusal {
	var own refusal
	if errors.As(err, &own) {
		return own
	}
	e := v.AsError(err)
	r, ok := refusals[e.Code]
	if !ok {
		r = refusals[domain.CodeInternal]
	}
	if r.Message == "" {
		r.Message = e.Detail
	}
	return r
}

func refuse(v *api.Visit, r refusal) {
	switch r.Status {
	case http.StatusUnauthorized:
		v.Header().Set("WWW-Authenticate", `Bearer realm="hallpass"`)
	case http.StatusServiceUnavailable:
		v.Header().Set("Retry-After", "1")
	}
	respond(v, reply{r.Status, r})
}
