package crafter

import (
	"errors"
	"fmt"
	"net/http"

	"hallpass/domain"
)

// refusal is an error as the platform's clients know it.
type refusal struct {
	status  int
	code    errorCode
	message string
}

func (r refusal) Error() string { return r.message }

// errorCode is one of the platform's: its clients fail on any other.
type errorCode string

// Those in use here.
const (
	tokenExists  errorCode = "ACCESS_TOKEN_EXISTS"
	noSuchToken  errorCode = "NO_SUCH_ACCESS_TOKEN_ID"
	accessDenied errorCode = "ACCESS_DENIED"
	actionDenied errorCode = "ACTION_DENIED"
	badParam     errorCode = "PARAM_DESERIALIZATION_ERROR"
	other        errorCode = "OTHER"
)

// What this door refuses by itself.
var (
	errNoPath     = refusal{http.StatusNotFound, other, "nothing is served at this path"}
	errMethod     = refusal{http.StatusMethodNotAllowed, other, "this path does not take this method; Allow names the one it takes"}
	errQuery      = refusal{http.StatusBadRequest, badParam, "the parameters are not name=value pairs joined by &, with %-escapes of two hex digits"}
	errNoParam    = refusal{http.StatusForbidden, accessDenied, "Access token ID param missing from request"}
	errNoAction   = refusal{http.StatusForbidden, actionDenied, "action param missing from request"}
	errLastMaster = refusal{http.StatusForbidden, actionDenied, "DELETE_TOKEN is denied: no other master access token works; create another one first"}
)

func notFound(status int, code errorCode, id string) refusal {
	return refusal{status, code, fmt.Sprintf(`No access token found for ID "%s"`, id)}
}

func exists(id string) refusal {
	return refusal{http.StatusConflict, tokenExists, fmt.Sprintf(`Access token "%s" already exists`, id)}
}

func expired(id string, t *domain.Token) refusal {
	return refusal{http.StatusForbidden, accessDenied,
		fmt.Sprintf(`Access token "%s" for application "%s" expired on %s`, id, t.Name, t.ExpiresAt.Time().Format("01/02/2006"))}
}

func denied(action string) refusal {
	return refusal{http.StatusForbidden, actionDenied, action + " is denied: this takes a master access token"}
}

func deniedOn(action, tenant string) refusal {
	if tenant == "" {
		tenant = anyName
	}
	return refusal{http.StatusForbidden, actionDenied, fmt.Sprintf(`action "%s" is denied on tenant "%s"`, action, tenant)}
}

// refusals is the one place where codes meet this door's statuses. No message:
// the error's own, which says what is wrong with the request.
var refusals = map[domain.Code]refusal{
	"bad_path":             {status: http.StatusBadRequest, code: other},
	"bad_json":             {status: http.StatusBadRequest, code: badParam},
	"body_too_large":       {status: http.StatusBadRequest, code: badParam},
	"unsupported_encoding": {status: http.StatusBadRequest, code: badParam},
	"request_timeout":      {status: http.StatusBadRequest, code: badParam},
	domain.CodeInvalid:     {status: http.StatusBadRequest, code: badParam},
	domain.CodeTooLarge:    {status: http.StatusBadRequest, code: badParam},

	domain.CodeInternal:      {http.StatusInternalServerError, other, "something went wrong here; X-Request-Id finds it in the log"},
	domain.CodeAccountClosed: {http.StatusForbidden, accessDenied, "the account of the access tokens is closed"},
	domain.CodeLastManager:   {http.StatusForbidden, actionDenied, "DELETE_TOKEN is denied: no other token could manage the account's tokens"},

	"rate_limited": {http.StatusTooManyRequests, other, "the access tokens were listed too often; Retry-After says when to try again"},

	domain.CodeConflict:       {http.StatusServiceUnavailable, other, "others kept changing the access token; try again"},
	domain.CodeKeyMissing:     {http.StatusServiceUnavailable, other, "this node lacks the key that access tokens are kept with: it can't make them, nor show them"},
	domain.CodeStale:          {http.StatusServiceUnavailable, other, "this node can't vouch for being current; try again"},
	domain.CodeNotReady:       {http.StatusServiceUnavailable, other, "this node can't take the request yet; try again"},
	domain.CodeUnknown:        {http.StatusServiceUnavailable, other, "whether the change happened could not be learned in time; look before trying again"},
	domain.CodeReplicaDamaged: {http.StatusServiceUnavailable, other, "whether the change happened could not be learned; look before trying again"},
	domain.CodeNotFenced:      {http.StatusServiceUnavailable, other, "the change is stored, but some node may go by the old rights for some seconds; ask for the same again"},
	domain.CodeHistoryDiffers: {http.StatusServiceUnavailable, other, "the change is stored, but a node holds another history"},
	domain.CodeStreamFull:     {http.StatusServiceUnavailable, other, "nothing can be stored; nothing was changed"},
	domain.CodeUpgrading:      {http.StatusServiceUnavailable, other, "the cluster is being upgraded; nothing was changed"},
}

// refusalOf returns what err is answered with. What has no row is internal.
func (c *call) refusalOf(err error) refusal {
	var r refusal
	if errors.As(err, &r) {
		return r
	}
	e := c.AsError(err)
	switch e.Code {
	case domain.CodeForbidden:
		return denied(c.does)
	case domain.CodeUnauthorized, domain.CodeActorRevoked:
		return notFound(http.StatusForbidden, accessDenied, c.credential)
	case domain.CodeNotFound, domain.CodeRevoked:
		return notFound(http.StatusNotFound, noSuchToken, c.id)
	}
	r, ok := refusals[e.Code]
	if !ok {
		r = refusals[domain.CodeInternal]
	}
	if r.message == "" {
		r.message = e.Detail
	}
	return r
}

func (c *call) refuse(err error) {
	r := c.refusalOf(err)
	if c.filters && r.status < http.StatusInternalServerError {
		r.status = http.StatusForbidden
	}
	if c.filters && r.status == http.StatusForbidden && r.code != actionDenied {
		r.code = accessDenied
	}
	if r.status == http.StatusServiceUnavailable {
		c.Header().Set("Retry-After", "1")
	}
	c.respond(r.status, struct {
		Code    errorCode `json:"errorCode"`
		Message string    `json:"message"`
	}{r.code, r.message})
}
