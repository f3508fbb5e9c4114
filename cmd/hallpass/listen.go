package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listener is a port that was taken, and what answers there.
type listener struct {
	net.Listener
	dialect string // "": the main one
	url     string // of its root
	door    *door
}

// listen takes all ports, the main one first, with TLS if that is asked for.
func (n *node) listen() (_ []*listener, err error) {
	var secure *tls.Config
	if n.flags.tlsCert != "" {
		certificate, err := tls.LoadX509KeyPair(n.flags.tlsCert, n.flags.tlsKey)
		if err != nil {
			return nil, fmt.Errorf("the TLS certificate %s and its key %s don't load: %w", n.flags.tlsCert, n.flags.tlsKey, err)
		}
		secure = &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}
	}
	var all []*listener
	defer func() {
		if err != nil {
			for _, l := range all {
				_ = l.Close()
			}
		}
	}()
	early := n.flags.dialects.handlers(nil)
	first, err := n.listenOn(n.flags.listen, "--listen", secure)
	if err != nil {
		return nil, err
	}
	first.door = &door{before: newMount(notYet{}, early)}
	all = append(all, first)
	for _, d := range dialects {
		f := n.flags.dialects.each[d.name]
		if f.listen == "" {
			continue
		}
		l, err := n.listenOn(f.listen, "--"+d.name+"-listen", secure)
		if err != nil {
			return all, err
		}
		l.dialect, l.door = d.name, &door{before: early[d.name]}
		all = append(all, l)
	}
	return all, nil
}

func (n *node) listenOn(address, flag string, secure *tls.Config) (*listener, error) {
	ln, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the address %s is in use by another program: stop it, or choose another with %s", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("this user may not listen on %s: choose a port above 1023 with %s", address, flag)
	case err != nil:
		return nil, fmt.Errorf("can't listen on %s: %w: choose another address with %s", address, err, flag)
	}
	if secure != nil {
		return &listener{Listener: tls.NewListener(ln, secure), url: "https://" + ln.Addr().String()}, nil
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		n.logger.Warn("secrets travel in clear: use --tls-cert and --tls-key, or let only a TLS proxy reach this address", "address", tcp.String())
	}
	return &listener{Listener: ln, url: "http://" + ln.Addr().String()}, nil
}
