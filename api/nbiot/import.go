package nbiot

import (
	"encoding/json"
	"regexp"
	"strings"

	"hallpass/api"
	"hallpass/domain"
)

var wholeToken = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Import returns what makes the token that stands in one row of the platform's
// list. Its errors repeat nothing of the secret.
func Import(row []byte) (api.Import, error) {
	in, err := readChange(row)
	if err != nil {
		return api.Import{}, err
	}
	var named struct{ Token string } // in any case, and not twice: that was looked at
	wrong := json.Unmarshal(row, &named)
	text := named.Token
	switch {
	case wrong != nil || !wholeToken.MatchString(text):
		return api.Import{}, domain.Invalid("/token", "token is 64 lower-case hex digits")
	case in.resource == nil:
		return api.Import{}, domain.Invalid("/resource", "resource is required")
	case in.write == nil:
		return api.Import{}, domain.Invalid("/write", "write is required")
	case strings.Contains(string(*in.resource), text):
		return api.Import{}, errHoldsSecret
	}
	for key, value := range in.tags {
		if strings.Contains(key, text) || strings.Contains(value, text) {
			return api.Import{}, errHoldsSecret
		}
	}
	secret, err := domain.ParseBearer(text)
	if err != nil {
		return api.Import{}, err
	}
	return api.Import{Secret: secret, Revealable: true, IssueToken: domain.IssueToken{
		Origin: origin, Tags: merged(nil, in.tags), Permissions: permissions(*in.resource, *in.write, nil),
	}}, nil
}
