package nbiot

import (
	"net/http"

	"hallpass/api"
	"hallpass/domain"
)

// empty is the JSON object that a yes is answered with.
type empty struct{}

// ping tells clients at their start whether their credential works.
func ping(v *api.Visit) (reply, error) {
	if m := v.Request.Method; m != http.MethodGet && m != http.MethodHead {
		return reply{}, errMethod
	}
	secret, err := credential(v.Request.Header)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, empty{}}, v.Service.Stands(secret, v.From)
}

// guard tells whether the bearer may do this request on the path, and whose
// token it is: paths don't tell one account's resources from another's.
func (d door) guard(v *api.Visit, path string) (reply, error) {
	text, err := credential(v.Request.Header)
	if err != nil {
		return reply{}, err
	}
	action := domain.ActionWrite
	switch v.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		action = domain.ActionRead
	}
	need, err := v.Service.Need(api.Question{Action: action, Resource: path})
	if err != nil { // nothing covers it, whoever asks
		if err := v.Service.Stands(text, v.From); err != nil {
			return reply{}, err
		}
		return reply{}, errNotCovered
	}
	secret, err := domain.ParseBearer(text)
	if err != nil {
		return reply{}, domain.Errorf(domain.CodeUnauthorized, "it is no bearer")
	}
	a, err := v.Service.Check(secret, need, v.From)
	if err != nil {
		return reply{}, err
	}
	switch {
	case !a.Allowed() || d.guarded != "" && a.Token.Account != d.guarded:
		return reply{}, errNotCovered
	case a.Stale > 0: // a yes has no place for that
		return reply{}, domain.Errorf(domain.CodeStale, "this node can't vouch for being current")
	}
	v.Header().Set("Hallpass-Account", string(a.Token.Account))
	return reply{http.StatusOK, empty{}}, nil
}
