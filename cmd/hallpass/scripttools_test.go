package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hallpass/domain"
	"hallpass/eventstore"
)

// httpMain is "http [-b BEARER] [-H 'NAME: VALUE'] METHOD URL [BODY]". It
// prints the status, the headers that matter, and the body.
func httpMain() {
	args := os.Args[1:]
	header := http.Header{}
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-b":
			header.Set("Authorization", "Bearer "+args[1])
		case "-H":
			name, value, _ := strings.Cut(args[1], ":")
			header.Set(name, strings.TrimSpace(value))
		}
		args = args[2:]
	}
	fetch(args[0], args[1], strings.Join(args[2:], ""), header, true)
}

// fetch makes a request, prints the answer and exits: 1 when there is none.
func fetch(method, url, body string, header http.Header, show bool) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	req.Header = header
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if show {
		fmt.Println(resp.StatusCode)
		for _, name := range []string{"Content-Type", "Etag", "Hallpass-Revision", "Hallpass-Wait", "Www-Authenticate", "Allow"} {
			if v := resp.Header.Get(name); v != "" {
				fmt.Printf("%s: %s\n", name, v)
			}
		}
	}
	_, _ = io.Copy(os.Stdout, resp.Body)
	_ = resp.Body.Close()
	fmt.Println()
	os.Exit(0)
}

// curlMain is as much of curl as the README uses: -H, -d, -X, -i and flags
// without a value, which do nothing.
func curlMain() {
	method, url, body, show := http.MethodGet, "", "", false
	header := http.Header{}
	for args := os.Args[1:]; len(args) > 0; args = args[1:] {
		switch arg := args[0]; arg {
		case "-H":
			name, value, _ := strings.Cut(args[1], ":")
			header.Set(name, strings.TrimSpace(value))
			args = args[1:]
		case "-d":
			body, args = args[1], args[1:]
			if method == http.MethodGet {
				method = http.MethodPost
			}
			header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl does
		case "-X":
			method, args = args[1], args[1:]
		case "-i":
			show = true
		default:
			if !strings.HasPrefix(arg, "-") {
				url = arg
			}
		}
	}
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	fetch(method, url, body, header, show)
}

func freePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

// answers returns the command that waits until a URL is answered like that.
func answers(status int) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		until(ts, fmt.Sprint("answered with ", status), func() bool {
			resp, err := http.Get(args[0])
			if err != nil {
				return false
			}
			_ = resp.Body.Close()
			return resp.StatusCode == status
		})
	}
}

func metric(ts *testscript.TestScript, _ bool, args []string) {
	want := args[0] + " " + args[1] + "\n"
	until(ts, strings.TrimSpace(want), func() bool {
		resp, err := http.Get(ts.Getenv("HALLPASS_SERVER") + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close() //nolint:errcheck // it was read
		page, _ := io.ReadAll(resp.Body)
		return strings.Contains("\n"+string(page), "\n"+want)
	})
}

// until waits for what comes about outside the script.
func until(ts *testscript.TestScript, what string, is func() bool) {
	for began := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			ts.Fatalf("it was never %s", what)
		}
	}
}

func garbage(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	log, err := eventstore.OpenExternal(ctx, eventstore.ExternalConfig{URL: ts.Getenv("HALLPASS_NATS_URL")})
	ts.Check(err)
	defer log.Close() //nolint:errcheck // it never fails
	_, err = log.Append(ctx, eventstore.Entry{
		Subject: eventstore.TokenSubject(domain.RootAccount, "garbage"), ID: domain.NewEventID(1, [10]byte{1}),
		Type: "token.issued.1", Data: []byte("this is no event"),
	})
	ts.Check(err)
}

func certificate(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	ts.Check(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for i, b := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: keyDER}} {
		ts.Check(os.WriteFile(ts.MkAbs(args[i]), pem.EncodeToMemory(b), 0o600))
	}
}

// testscript's own commands win over ours of the same name. One of them, stop,
// ends a script as passed.
func TestScriptCommandsAreNotBuiltIn(t *testing.T) {
	builtIn := strings.Fields("cd chmod cmp cmpenv cp env exec exists grep kill mkdir mv rm skip " +
		"stderr stdin stdout stop symlink ttyin ttyout unix2dos unquote wait")
	for name := range scriptCommands(nil) {
		if slices.Contains(builtIn, name) {
			t.Errorf("the command %s would never be run", name)
		}
	}
}
