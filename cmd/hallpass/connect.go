package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api/client"
)

const (
	defaultServer = "http://127.0.0.1:8080"
	defaultData   = "./hallpass-data"
	rootTokenFile = "root-token" // in the data directory
)

// connection is the flags that say where to and as whom.
type connection struct {
	server, token string
	timeout       time.Duration
}

func (o *connection) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.server, "server", "", "the server's address (default "+defaultServer+", or that of 'hallpass login')")
	c.Flags().StringVar(&o.token, "token", "", "the secret to act with; on a command line others on this machine can see it (ps): prefer the variable or 'hallpass login'")
	c.Flags().DurationVar(&o.timeout, "timeout", 60*time.Second, "how long one request may take")
}

// atLeast is the flag of checks and reads that follow a change made elsewhere.
type atLeast struct{ revision uint64 }

func (o *atLeast) flags(c *cobra.Command) {
	c.Flags().Uint64Var(&o.revision, "min-revision", 0, "answer from this revision on or a newer one: that of a change made through another node (default: what the server has)")
}

func (o *atLeast) on(cl *client.Client) *client.Client {
	return cl.With(client.Options{MinRevision: o.revision})
}

// client returns a client for the server and credential that the flags, the
// environment (already in the flags), the login file or the data directory
// give, in that order.
func (o *connection) client() (*client.Client, error) {
	saved, err := readLogin()
	if err != nil && (o.server == "" || o.token == "") {
		return nil, err
	}
	server := cmp.Or(o.server, saved.Server, defaultServer)
	token := o.token
	if token == "" && sameServer(server, saved.Server) {
		token = saved.Token // never to another server than it was given for
	}
	if token == "" && loopback(server) {
		token, err = readRootToken()
		if err != nil {
			return nil, err
		}
	}
	if token == "" {
		return nil, fmt.Errorf("no credential for %s: give --token, set HALLPASS_TOKEN, run 'hallpass login', or, beside a server on this machine, run the command where %s can be read",
			printable(server), filepath.Join(defaultData, rootTokenFile))
	}
	return newClient(server, token, o.timeout)
}

func newClient(server, token string, timeout time.Duration) (*client.Client, error) {
	c, err := client.New(client.Config{
		Server: server, Token: client.Secret(token), Timeout: timeout, UserAgent: "hallpass/" + version(),
	})
	if err != nil {
		return nil, usagef("--server: %w", err)
	}
	return c, nil
}

// readRootToken returns what a server on this machine left for its operator;
// "" when there is none.
func readRootToken() (string, error) {
	data, err := os.ReadFile(filepath.Join(cmp.Or(os.Getenv("HALLPASS_DATA"), defaultData), rootTokenFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading the root token: %w: give --token or set HALLPASS_TOKEN", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// loopback tells whether the address is one of this machine's own.
func loopback(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func sameServer(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// login is the file that 'hallpass login' writes.
type login struct {
	Server string `json:"server"`
	Token  string `json:"token"`
}

// loginPath is where it lies: hallpass/config.json in the user's configuration
// directory, which XDG_CONFIG_HOME moves on Linux.
func loginPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "hallpass", "config.json"), nil
}

// readLogin returns the login; the zero one when there is none.
func readLogin() (login, error) {
	var l login
	path, err := loginPath()
	if err != nil {
		return l, nil // no home, no login
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l, nil
	case err != nil:
		return l, fmt.Errorf("reading the login: %w", err)
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return login{}, fmt.Errorf("%s is not what 'hallpass login' writes: run it again, or remove the file", path)
	}
	return l, nil
}

// writeLogin keeps l, readable by its owner alone.
func writeLogin(l login) (path string, err error) {
	if path, err = loginPath(); err != nil {
		return "", fmt.Errorf("there is no place to keep the login: %w: set HOME or XDG_CONFIG_HOME", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("keeping the login: %w", err)
	}
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return "", err
	}
	return path, writeFile(path, append(data, '\n'))
}
