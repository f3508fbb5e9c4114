package thinger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// Vendors' clients read the user and the server out of the bearer.
func TestABearerIsAJWT(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for _, id := range []string{"t1", strings.Repeat("x", 50)} {
		bearer := w.create(id, "")
		parts := strings.Split(bearer, ".")
		if len(parts) != 3 || strings.ContainsAny(bearer, "-_+/=") && strings.ContainsAny(parts[1], "-_+/=") {
			t.Fatalf("it has %d parts, or claims that not all clients can read", len(parts))
		}
		var header, claims map[string]any
		for i, into := range []*map[string]any{&header, &claims} {
			raw, err := base64.RawURLEncoding.DecodeString(parts[i])
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(raw, into); err != nil {
				t.Fatal(err)
			}
		}
		if header["alg"] != "HS256" || header["typ"] != "JWT" {
			t.Errorf("header %v", header)
		}
		nonce, err := base64.RawURLEncoding.DecodeString(claims["nonce"].(string))
		if claims["jti"] != id || claims["usr"] != "home" || claims["svr"] != "127.0.0.1" || len(claims) != 4 || len(nonce) != 32 || err != nil {
			t.Errorf("claims %v", claims)
		}
		signed, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || len(signed) != 32 {
			t.Errorf("a signature of %d bytes", len(signed))
		}
		mac := hmac.New(sha256.New, make([]byte, 32))
		mac.Write([]byte(parts[0] + "." + parts[1]))
		if hmac.Equal(signed, mac.Sum(nil)) {
			t.Error("anybody could have signed it")
		}
		seen[claims["nonce"].(string)] = true
	}
	if len(seen) != 2 {
		t.Error("two bearers have the same random claim")
	}
	// One that was changed in any place opens nothing, though its claims are right.
	good := w.create("t2", `"allow":{"*":{"*":"*"}}`)
	head, _, _ := strings.Cut(good, ".")
	for _, bad := range []string{good[:len(good)-1], good + "A", strings.Replace(good, head, base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)), 1)} {
		w.as(bad, "GET", tokens, "").is(t, 401, "does not work")
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	bearer := w.create("t1", `"allow":{"Token":{"*":"*"}}`)
	query := tokens + "/t1?authorization=" + bearer
	for _, r := range []struct {
		path, header string
		status       int
	}{
		{tokens + "/t1", "Bearer " + bearer, 200}, {tokens + "/t1", "bearer " + bearer, 200}, {query, "", 200},
		{query, "Bearer " + bearer, 200}, {query, "Basic eDp5", 200}, {query, "Bearer " + w.home, 401}, {query + "&authorization=x", "", 401},
		{tokens + "/t1", "", 401}, {tokens + "/t1", bearer, 401}, {tokens + "/t1", "Bearer ", 401}, {tokens + "/t1?authorization=", "", 401},
		{tokens + "/t1?Authorization=" + bearer, "", 401}, {tokens + "/t1?access_token=" + bearer, "", 401}, {tokens + "/t1?authorization=nonsense", "", 401},
		{tokens + "/t1?a=%zz", "Bearer " + bearer, 400},
	} {
		var header []string
		if r.header != "" {
			header = []string{"Authorization", r.header}
		}
		if got := w.send("GET", r.path, "", header...); got.status != r.status {
			t.Errorf("%s with %q: %d, want %d", strings.ReplaceAll(r.path, bearer, "…"), strings.ReplaceAll(r.header, bearer, "…"), got.status, r.status)
		}
	}
	w.native("POST", "/v1/accounts/home/tokens/t1/disable", "")
	w.as(bearer, "GET", tokens+"/t1", "").is(t, 401, "does not work")
	past := w.create("t2", `"allow":{"*":{"*":"*"}},"expire":1`)
	w.as(past, "GET", tokens, "").is(t, 401, "does not work")
}
