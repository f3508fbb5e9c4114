package middleware

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"

	"hallpass/api/client"
)

// Guard lets requests through that may be made. Its fields are not changed
// once it is in use.
type Guard struct {
	Checker client.Checker // of Protect

	// Need says what a request takes. An error refuses the request with 403:
	// there is no rule for it. It isn't shown to who asks. What is answered must
	// depend on the request as the handler will understand it: on the path that
	// the mux matched, not on one that it would clean first.
	// Its From, if not set, is the address that the connection comes from: behind
	// a proxy of your own, set it to what that proxy says.
	Need func(*http.Request) (client.Need, error)

	Holds   *client.Holds // of Hold
	Realm   string        // in challenges; default "hallpass". No quotes or backslashes
	Forward bool          // leave the Authorization header to the handler, as a proxy may want
	Logger  *slog.Logger  // gets what goes wrong, never a secret; default slog.Default
}

// Protect checks each request before next gets it. It panics if the Guard has
// no Checker or no Need.
func (g *Guard) Protect(next http.Handler) http.Handler {
	if g.Checker == nil || g.Need == nil {
		panic("middleware: Protect takes a Guard with a Checker and a Need")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret, need, ok := g.asked(w, r)
		if !ok {
			return
		}
		d, err := g.Checker.Check(r.Context(), secret, need)
		if !g.allowed(w, r, d, err) {
			return
		}
		next.ServeHTTP(w, g.inner(client.WithDecision(r.Context(), d), r))
	})
}

// asked reads the credential and the need, or refuses.
func (g *Guard) asked(w http.ResponseWriter, r *http.Request) (client.Secret, client.Need, bool) {
	secret, err := client.Bearer(r.Header["Authorization"])
	switch {
	case errors.Is(err, client.ErrNoBearer):
		g.refuse(w, noCredential, err.Error())
		return "", client.Need{}, false
	case err != nil:
		g.refuse(w, badCredential, err.Error())
		return "", client.Need{}, false
	}
	need, err := g.Need(r)
	if err != nil {
		g.log(r, "no rule for a request", err)
		g.refuse(w, forbidden, "")
		return "", client.Need{}, false
	}
	if !need.From.IsValid() {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			need.From = from.Addr()
		}
	}
	return secret, need, true
}

// allowed refuses what is not.
func (g *Guard) allowed(w http.ResponseWriter, r *http.Request, d client.Decision, err error) bool {
	switch {
	case err == nil && d.Allowed:
		return true
	case err == nil && !d.Works:
		g.refuse(w, badToken, "")
	case err == nil:
		g.refuse(w, forbidden, "")
	case client.Code(err) == "invalid":
		g.log(r, "a request takes what can't be asked for", err)
		g.refuse(w, forbidden, "")
	default:
		if r.Context().Err() == nil { // else who asked went away
			g.log(r, "a request could not be checked", err)
		}
		g.refuse(w, unavailable(client.Code(err)), "")
	}
	return false
}

// inner is the request as the handler gets it.
func (g *Guard) inner(ctx context.Context, r *http.Request) *http.Request {
	r = r.WithContext(ctx)
	if !g.Forward {
		r.Header = r.Header.Clone()
		r.Header.Del("Authorization")
	}
	return r
}

// log never gets the path: what stands in it may be the caller's secret too.
func (g *Guard) log(r *http.Request, what string, err error) {
	logger := g.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.WarnContext(r.Context(), what, "method", r.Method, "route", r.Pattern, "error", err)
}
