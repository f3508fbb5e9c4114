package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"hallpass/domain"
)

const forwardedFor = "X-Forwarded-For"

// from is the address that the request comes from: the connection's, or, where
// that is a trusted proxy's, the one that it names: the last of X-Forwarded-For
// that is no trusted proxy's itself. The zero Addr is one that can't be read.
// Forwarded (RFC 7239) and other headers say nothing here.
func (c *call) from() netip.Addr { return clientAddress(c.r, c.h.cfg.TrustedProxies) }

func clientAddress(r *http.Request, proxies []netip.Prefix) netip.Addr {
	from := addressIn(r.RemoteAddr)
	if !trusted(proxies, from) {
		return from
	}
	lines := r.Header[forwardedFor]
	for _, line := range slices.Backward(lines) {
		for line != "" {
			at := strings.LastIndexByte(line, ',')
			from = addressIn(strings.Trim(line[at+1:], " \t"))
			if !trusted(proxies, from) {
				return from
			}
			line = line[:max(at, 0)]
		}
	}
	return from
}

// trusted tells whether what a names as the client's address is believed.
func trusted(proxies []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// addressIn reads an address with or without a port, as IPv4 where it is a
// mapped one, without a zone; zero if it is none.
func addressIn(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	with, err := netip.ParseAddrPort(s) // first: every connection's has one
	if err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// address reads what a check says of where a secret is used from; zero for "".
func (b *binder) address(s, at string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		b.fault(at, "is an IPv4 or IPv6 address, without a port")
	}
	return a.Unmap().WithZone("")
}

// mayName refuses callers who may not say where their own secret is used from.
func mayName(by *domain.Authority) error {
	n := domain.TokenNeed("IntrospectToken", by.Actor.Token)
	if by.May(by.Actor.Account, n) {
		return nil
	}
	return domain.Errorf(domain.CodeForbidden, "to name the address that a token is used from takes %s on %s", n.Action, n.Resource)
}
