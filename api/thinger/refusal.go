package thinger

import (
	"errors"
	"net/http"
	"strings"

	"hallpass/api"
	"hallpass/domain"
)

// refusal is an error as it is answered.
type refusal struct {
	status  int
	message string
}

func (r refusal) Error() string { return r.message }

// What this door refuses by itself.
var (
	errNoPath          = refusal{http.StatusNotFound, "nothing is served at this path with this method"}
	errBadQuery        = refusal{http.StatusBadRequest, "the query can't be read"}
	errNoCredential    = refusal{http.StatusUnauthorized, "send a token as Authorization: Bearer, or as the query parameter authorization"}
	errManyCredentials = refusal{http.StatusUnauthorized, "send one token, as Authorization: Bearer or as the query parameter authorization"}
	errNotCovered      = refusal{http.StatusForbidden, "the token does not cover this"}
	errNoToken         = refusal{http.StatusNotFound, "there is no such token, or no such user"}
	errHoldsSecret     = refusal{http.StatusBadRequest, "an id, a name, a description or a permission must not hold a token's secret"}
)

// Codes of the api's doors.
const (
	codeBadJSON    domain.Code = "bad_json"
	codeBadPath    domain.Code = "bad_path"
	codeTooLarge   domain.Code = "body_too_large"
	codeEncoding   domain.Code = "unsupported_encoding"
	codeTimeout    domain.Code = "request_timeout"
	codeIncomplete domain.Code = "incomplete"
)

// refusals is the one place where codes meet this door's statuses. No message:
// the error's own, which says what is wrong with the request. All others are
// fixed: the error's could repeat an id that is somebody's secret.
var refusals = map[domain.Code]refusal{
	codeBadJSON:         {status: http.StatusBadRequest},
	codeBadPath:         {status: http.StatusBadRequest},
	codeTooLarge:        {status: http.StatusBadRequest},
	codeEncoding:        {status: http.StatusBadRequest},
	codeTimeout:         {status: http.StatusBadRequest},
	domain.CodeInvalid:  {status: http.StatusBadRequest},
	domain.CodeTooLarge: {status: http.StatusBadRequest},
	domain.CodeNotFound: errNoToken,
	domain.CodeRevoked:  errNoToken,
	domain.CodeInternal: {http.StatusInternalServerError, "something went wrong here; X-Request-Id finds it in the log"},

	domain.CodeUnauthorized: {http.StatusUnauthorized, "the token does not work"},
	domain.CodeForbidden:    {http.StatusForbidden, "the token may not do this, or not hand this out"},
	domain.CodeActorRevoked: {http.StatusForbidden, "the token ended, or lost rights, before all of this was done"},

	domain.CodeExists:        {http.StatusConflict, "there is a token with this id; nothing was changed"},
	domain.CodeConflict:      {http.StatusConflict, "others kept changing the token; nothing was changed"},
	domain.CodePrecondition:  {http.StatusConflict, "others kept changing the token; nothing was changed"},
	domain.CodeImmutable:     {http.StatusConflict, "the token can't be changed, only deleted"},
	domain.CodeAccountClosed: {http.StatusConflict, "the account is closed"},
	domain.CodeLastManager:   {http.StatusConflict, "no other token could manage the account's tokens; nothing was changed"},

	domain.CodeStale:          {http.StatusServiceUnavailable, "this node can't vouch for being current; try again"},
	domain.CodeNotReady:       {http.StatusServiceUnavailable, "this node can't take the request yet; try again"},
	domain.CodeUnknown:        {http.StatusServiceUnavailable, "whether the change happened could not be learned in time; look before trying again"},
	domain.CodeReplicaDamaged: {http.StatusServiceUnavailable, "whether the change happened could not be learned; look before trying again"},
	domain.CodeNotFenced:      {http.StatusServiceUnavailable, "the change is stored, but some node may go by the old rights for some seconds; ask for the same again"},
	domain.CodeHistoryDiffers: {http.StatusServiceUnavailable, "the change is stored, but a node holds another history"},
	domain.CodeStreamFull:     {http.StatusServiceUnavailable, "nothing can be stored; nothing was changed"},
	domain.CodeUpgrading:      {http.StatusServiceUnavailable, "the cluster is being upgraded; nothing was changed"},
	codeIncomplete:            {http.StatusServiceUnavailable, "some of the tokens are deleted; ask for the same again to delete the others"},
}

// refusalOf returns what err is answered with. What has no row is internal.
func refusalOf(v *api.Visit, err error) refusal {
	var own refusal
	if !errors.As(err, &own) {
		e := v.AsError(err)
		var ok bool
		if own, ok = refusals[e.Code]; !ok {
			own = refusals[domain.CodeInternal]
		}
		if own.message == "" {
			own.message = e.Detail
		}
	}
	if own.status == http.StatusBadRequest && atGuard(v.Request) {
		own.status = http.StatusForbidden
	}
	return own
}

// atGuard tells whether a gateway asks, which takes 400 for a fault of ours.
func atGuard(r *http.Request) bool {
	path := strings.SplitN(r.URL.Path, "/", 6)
	return len(path) > 4 && path[1] == "v1" && path[2] == "users" && path[4] == "guard"
}

func refuse(v *api.Visit, r refusal) {
	switch r.status {
	case http.StatusUnauthorized:
		v.Header().Set("WWW-Authenticate", `Bearer realm="hallpass"`)
	case http.StatusServiceUnavailable:
		v.Header().Set("Retry-After", "1")
	}
	type message struct {
		Message string `json:"message"`
	}
	respond(v, r.status, struct {
		Error message `json:"error"`
	}{message{r.message}})
}
