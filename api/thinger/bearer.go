package thinger

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"

	"hallpass/domain"
)

// claims are what clients read out of a bearer, and what makes it a secret.
type claims struct {
	Token  domain.TokenID   `json:"jti"`
	Server string           `json:"svr"`
	User   domain.AccountID `json:"usr"`
	Nonce  string           `json:"nonce"` // 256 random bits
}

const jwtHeader = `{"alg":"HS256","typ":"JWT"}`

// newBearer makes a bearer of the shape that clients take apart. Nobody can
// check its signature: the key is gone when this returns.
func newBearer(account domain.AccountID, token domain.TokenID, server string) (domain.Secret, error) {
	var nonce, key [32]byte
	_, _ = rand.Read(nonce[:]) // never fails
	_, _ = rand.Read(key[:])
	text := base64.RawURLEncoding.EncodeToString
	body, err := json.Marshal(claims{token, server, account, text(nonce[:])})
	if err != nil {
		return domain.Secret{}, err
	}
	signed := text([]byte(jwtHeader)) + "." + text(body)
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(signed))
	return domain.ParseBearer(signed + "." + text(mac.Sum(nil)))
}

// maxHost bounds the name of a host, in bytes (RFC 1035 section 2.3.4).
const maxHost = 255

// serverOf returns the host that the client asked, without a port; "" if it is
// too long to be one.
func serverOf(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if len(host) > maxHost {
		return ""
	}
	return host
}
