package main

import (
	"net"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api"
	"hallpass/api/crafter"
	"hallpass/api/nbiot"
	"hallpass/api/thinger"
	"hallpass/domain"
)

// dialects are the systems whose clients are answered too. An entry may go, with
// the package that it names: nothing else knows that package.
var dialects = []dialect{
	{name: "nbiot", system: "Telenor NB-IoT", at: []string{"/nbiot"}, strip: true, early: `{"status":503,"message":"` + starting + `"}`,
		open: func(s *api.Service, f *dialectFlags) http.Handler {
			return nbiot.New(s, nbiot.Config{TrustedProxies: f.proxies, Guarded: domain.AccountID(f.nbiotAccount)})
		},
		read: nbiot.Import, managers: "sessions",
		then: "what manages its tokens is a session: 'hallpass session open %s' opens one, and its secret is the X-API-Token"},
	{name: "crafter", system: "CrafterCMS Profile", at: []string{"/crafter-profile"}, strip: true, early: `{"errorCode":"OTHER","message":"` + starting + `"}`,
		open: func(s *api.Service, f *dialectFlags) http.Handler {
			return crafter.New(s, crafter.Config{Account: domain.AccountID(f.crafterAccount), TrustedProxies: f.proxies})
		},
		read: crafter.Import, seed: crafter.Seed, account: defaultCrafterAccount, shows: [2]string{"application", "id"}, published: crafter.Published},
	{name: "thinger", system: "Thinger.io", at: []string{"/v1/users", "/v1/server/assets"}, early: `{"error":{"message":"` + starting + `"}}`,
		open: func(s *api.Service, f *dialectFlags) http.Handler {
			return thinger.New(s, thinger.Config{TrustedProxies: f.proxies})
		},
		read: thinger.Import, seed: thinger.Seed, owner: "user", shows: [2]string{"token", "access_token"}},
}

// dialect is another system's API, spoken to the same service.
type dialect struct {
	name   string   // of its flags, and the origin of its tokens
	system string   // for people
	at     []string // what it answers on the main listener, and all under that
	strip  bool     // it sees paths without the first of those
	early  string   // its body of 503 while there is no service
	open   func(*api.Service, *dialectFlags) http.Handler

	// Of "hallpass import" and "hallpass seed".
	read      func(row []byte) (api.Import, error) // a token of the list that the system exports
	seed      func(account domain.AccountID, server string) ([]api.Import, error)
	account   string            // where its tokens live unless it is said; "": it must be said
	owner     string            // what the system calls an account, if anything
	shows     [2]string         // what it calls a token, and its secret
	managers  string            // of an account that is made for it
	then      string            // what to do once there is that account
	published func(string) bool // whether the vendor ships that secret to everybody
}

// waits answers as long as there is no service.
func (d *dialect) waits() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(d.early)) // a reader who left
	})
}

// dialectFlags is what "serve" can be told about dialects.
type dialectFlags struct {
	each           map[string]*dialectFlag
	crafterAccount string
	nbiotAccount   string
	proxies        prefixes // those of the server
}

type dialectFlag struct {
	on     bool
	listen string
}

// defaultCrafterAccount is where Crafter's tokens live unless it is said.
const defaultCrafterAccount = "crafter"

func (s *dialectFlags) flags(c *cobra.Command) {
	s.each = map[string]*dialectFlag{}
	for _, d := range dialects {
		f := new(dialectFlag)
		s.each[d.name] = f
		c.Flags().BoolVar(&f.on, d.name, true, "answer clients of "+d.system+" at "+strings.Join(d.at, " and ")+"; --"+d.name+"=false does not")
		c.Flags().StringVar(&f.listen, d.name+"-listen", "", "an address to answer clients of "+d.system+" at as well, without a path before theirs (default: none)")
	}
	c.Flags().StringVar(&s.nbiotAccount, "nbiot-account", "", "the account whose tokens the guard for Telenor NB-IoT lets through (default: of every account, and the answer names it)")
	c.Flags().StringVar(&s.crafterAccount, "crafter-account", defaultCrafterAccount, "the account that tokens of CrafterCMS Profile live in, opened when it is first needed")
}

// check refuses flags that don't go together; main is the address of the main
// listener.
func (s *dialectFlags) check(main string) error {
	taken := map[string]string{main: "--listen"}
	for _, d := range dialects {
		f, flag := s.each[d.name], "--"+d.name+"-listen"
		if f.listen == "" {
			continue
		}
		if !f.on {
			return usagef("%s needs --%s: leave one of them out", flag, d.name)
		}
		if other := taken[f.listen]; other != "" && !freePortOf(f.listen) {
			return usagef("%s and %s name the same address: give each its own", other, flag)
		}
		taken[f.listen] = flag
	}
	if _, err := domain.ParseAccountID(s.crafterAccount); err != nil || s.crafterAccount == string(domain.RootAccount) {
		return usagef("--crafter-account is 1 to 64 letters, digits, - and _, and not %q", domain.RootAccount)
	}
	if _, err := domain.ParseAccountID(s.nbiotAccount); err != nil && s.nbiotAccount != "" {
		return usagef("--nbiot-account is 1 to 64 letters, digits, - and _")
	}
	if f := s.each["nbiot"]; f != nil && !f.on && s.nbiotAccount != "" {
		return usagef("--nbiot-account needs --nbiot: leave one of them out")
	}
	if f := s.each["crafter"]; f != nil && !f.on && s.crafterAccount != defaultCrafterAccount {
		return usagef("--crafter-account needs --crafter: leave one of them out")
	}
	return nil
}

// freePortOf tells whether the address leaves the port to the system.
func freePortOf(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && (port == "0" || port == "")
}

// handlers returns the dialects that are on, by name. Without a service they say
// that there is none yet.
func (s *dialectFlags) handlers(svc *api.Service) map[string]http.Handler {
	out := map[string]http.Handler{}
	for _, d := range dialects {
		switch {
		case !s.each[d.name].on:
		case svc == nil:
			out[d.name] = d.waits()
		default:
			out[d.name] = d.open(svc, s)
		}
	}
	return out
}

// mount is the main listener's handler: requests under a dialect's paths go to
// that dialect, whatever it makes of them, and all others to native.
type mount struct {
	native http.Handler
	at     []mounted
}

type mounted struct {
	path, strip string
	handler     http.Handler
}

func newMount(native http.Handler, handlers map[string]http.Handler) *mount {
	m := &mount{native: native}
	for _, d := range dialects {
		for _, path := range d.at {
			one := mounted{path: path, handler: handlers[d.name]}
			if d.strip {
				one.strip = d.at[0]
			}
			if one.handler != nil {
				m.at = append(m.at, one)
			}
		}
	}
	return m
}

func (m *mount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for i := range m.at {
		if at := &m.at[i]; at.takes(r) {
			at.handler.ServeHTTP(w, at.seenBy(r))
			return
		}
	}
	m.native.ServeHTTP(w, r)
}

// takes tells whether the request is under the path as it was sent: what spells
// the path with escapes is not.
func (m *mounted) takes(r *http.Request) bool {
	return m.covers(r.URL.Path) && (r.URL.RawPath == "" || m.covers(r.URL.RawPath))
}

func (m *mounted) covers(path string) bool {
	rest, ok := strings.CutPrefix(path, m.path)
	return ok && (rest == "" || rest[0] == '/')
}

// seenBy returns the request as the dialect sees it.
func (m *mounted) seenBy(r *http.Request) *http.Request {
	if m.strip == "" {
		return r
	}
	inside, url := *r, *r.URL
	url.Path = strings.TrimPrefix(url.Path, m.strip)
	url.RawPath = strings.TrimPrefix(url.RawPath, m.strip)
	if url.Path == "" {
		url.Path = "/"
	}
	inside.URL = &url
	return &inside
}
