// Package middleware puts hallpass in front of any net/http handler: a request
// goes on only when the bearer of its token may do what the request takes.
//
//	guard := &middleware.Guard{
//		Checker: c.Remote(client.RemoteConfig{}), // or an embedded.Node
//		Need: func(r *http.Request) (client.Need, error) {
//			action := "read"
//			if r.Method != http.MethodGet && r.Method != http.MethodHead {
//				action = "write"
//			}
//			return client.Need{Action: action, Resource: r.URL.Path}, nil
//		},
//	}
//	mux.Handle("/device/", guard.Protect(devices))
//
// The handler finds who asks with client.DecisionFrom(r.Context()); it never
// sees the secret, unless the Guard is told to Forward it. Nothing is cached:
// each request is one check, which a Remote makes over the network and an
// embedded.Node in memory.
//
// # What is refused, and how
//
// Refusals are problems (RFC 9457) with the challenges of RFC 6750:
//
//	401 missing_token      no bearer token at all
//	400 invalid_request    more than one credential, or one that can't be read
//	401 invalid_token      the token doesn't work; it is never said why
//	403 forbidden          the token may not do this, or Need has no rule for the request
//	503 stale, not_ready,  nobody can say for sure; with Retry-After
//	    unavailable
//
// Whatever goes wrong is a refusal. Hold is Protect for requests that last:
// they end when the right to them does.
package middleware
