package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hallpass/api/client"
	"hallpass/api/wire"
)

// stream answers with these events, "3 revoked a" being a revoke of token a at
// revision 3 and "3' …" the same with another id, then ends the connection.
func stream(after string, events ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Hallpass-Revision", after)
		_, _ = fmt.Fprintf(w, ": events after revision %s\n\n", after)
		for _, text := range events {
			var e wire.Event
			f := strings.Fields(text)
			_, _ = fmt.Sscanf(strings.TrimSuffix(f[0], "'"), "%d", &e.Revision)
			e.ID, e.Type, e.Account, e.Token = f[0], "token."+f[1], "acme", f[2]
			data, _ := json.Marshal(e)
			_, _ = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.Revision, e.Type, data)
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// notices runs a watch over s to its end, or its first n notices.
func notices(t *testing.T, s *script, after uint64, n int) (got []string, last error) {
	t.Helper()
	srv := httptest.NewServer(s)
	defer srv.Close()
	remote := as(t, srv.URL, bearer).Remote(client.RemoteConfig{Patience: time.Minute})
	for notice, err := range remote.Revocations(t.Context(), after) {
		if err != nil {
			return got, err
		}
		if got = append(got, say(notice)); len(got) == n {
			break
		}
	}
	return got, nil
}

func say(n client.Notice) string {
	switch n := n.(type) {
	case client.Revoked:
		return fmt.Sprint(n.Revision, " ", n.Type, " ", n.Account, "/", n.Token)
	case client.Missed:
		if n.Blind {
			return "blind"
		}
		return fmt.Sprint("missed up to ", n.MinRevision)
	}
	return "nothing"
}

// After a break the event before it has to come again: then nothing was
// missed. It is told once, and what takes no rights isn't told at all.
func TestRevocationsGoOnWhereTheyWere(t *testing.T) {
	s := &script{parts: []func(http.ResponseWriter){
		stream("2", "3 revoked a", "4 issued b"), refuse(429, "busy"), stream("3", "4 issued b"), stream("3", "4 issued b", "6 edited b"),
	}}
	got, err := notices(t, s, 2, 0)
	want := []string{"3 token.revoked acme/a", "6 token.edited acme/b"}
	if !slices.Equal(got, want) || client.Code(err) != "forbidden" {
		t.Fatalf("got %q, then %v", got, err)
	}
	if want := []string{"2", "3", "3", "3", "5"}; !slices.Equal(s.resumed, want) {
		t.Fatalf("it went on after %q, want %q", s.resumed, want)
	}
}

func TestRevocationsSayWhatTheyMayHaveMissed(t *testing.T) {
	for name, c := range map[string]struct {
		after   uint64
		parts   []func(http.ResponseWriter)
		want    []string
		resumed []string
	}{
		"from now on": {
			client.Now, []func(http.ResponseWriter){stream("7"), stream("7", "8 disabled a")},
			[]string{"missed up to 7", "8 token.disabled acme/a"}, []string{"", "7", "7"},
		},
		"a server that has not reached the revision": {
			9, []func(http.ResponseWriter){refuse(409, "revision_unknown"), stream("5", "6 revoked a")},
			[]string{"missed up to 5", "6 token.revoked acme/a"}, []string{"9", "", "5"},
		},
		"a shorter history after a break": {
			2, []func(http.ResponseWriter){stream("2", "9 revoked a"), refuse(409, "revision_unknown"), stream("5", "6 revoked b")},
			[]string{"9 token.revoked acme/a", "missed up to 5", "6 token.revoked acme/b"}, []string{"2", "8", "", "5"},
		},
		"another record in its place": {
			2, []func(http.ResponseWriter){stream("2", "3 revoked a"), stream("2", "3' revoked b")},
			[]string{"3 token.revoked acme/a", "missed up to 2", "3 token.revoked acme/b"}, []string{"2", "2", "2"},
		},
		"no record in its place": {
			2, []func(http.ResponseWriter){stream("2", "3 revoked a"), stream("2", "5 revoked b")},
			[]string{"3 token.revoked acme/a", "missed up to 2", "5 token.revoked acme/b"}, []string{"2", "2", "4"},
		},
		"a node that can't vouch": {
			2, []func(http.ResponseWriter){refuse(503, "stale"), stream("2", "3 rotated a")},
			[]string{"blind", "3 token.rotated acme/a"}, []string{"2", "2", "2"},
		},
		"a type that is new": {
			2, []func(http.ResponseWriter){stream("2", "3 curtailed a")},
			[]string{"3 token.curtailed acme/a"}, []string{"2", "2"},
		},
	} {
		s := &script{parts: c.parts}
		got, err := notices(t, s, c.after, 0)
		if !slices.Equal(got, c.want) || client.Code(err) != "forbidden" {
			t.Errorf("%s: got %q, then %v, want %q", name, got, err, c.want)
		}
		if !slices.Equal(s.resumed, c.resumed) {
			t.Errorf("%s: it went on after %q, want %q", name, s.resumed, c.resumed)
		}
	}
}

func TestRevocationsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		part func(http.ResponseWriter)
		code string
	}{
		"a revoked bearer":       {refuse(401, "invalid_token"), "invalid_token"},
		"something else":         {raw("data: hello\n\n"), ""},
		"a beginning not stated": {func(w http.ResponseWriter) { stream("")(w) }, ""},
	} {
		after := uint64(2)
		if name == "a beginning not stated" {
			after = client.Now
		}
		got, err := notices(t, &script{parts: []func(http.ResponseWriter){c.part}}, after, 0)
		if err == nil || client.Code(err) != c.code || len(got) > 0 {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if got, err := notices(t, &script{parts: []func(http.ResponseWriter){stream("2", "3 revoked a", "4 revoked b")}}, 2, 1); len(got) != 1 || err != nil {
		t.Errorf("it doesn't end when it is left: %q, %v", got, err)
	}
}

// A server that is there and says nothing, and one that isn't there, are the
// same to who holds something. A silent connection is given up.
func TestRevocationsWithoutASignOfLife(t *testing.T) {
	left := make(chan struct{}, 8)
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		left <- struct{}{}
	}))
	defer silent.Close()
	for _, url := range []string{silent.URL, "http://127.0.0.1:1"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		blind := 0
		for n, err := range as(t, url, bearer).Remote(client.RemoteConfig{Patience: 20 * time.Millisecond}).Revocations(ctx, 2) {
			if errors.Is(err, context.Canceled) {
				break
			}
			if m, ok := n.(client.Missed); !ok || !m.Blind || m.Why == nil || err != nil {
				t.Fatalf("%s: got %v, %v", url, n, err)
			}
			if blind++; blind == 3 {
				cancel()
			}
		}
		if blind < 3 {
			t.Fatalf("%s: said it %d times", url, blind)
		}
	}
	<-left
}

// After a break, signs of life count only once the event before it has come
// again: until then it may be another stream that is alive.
func TestALiveStreamThatShowsNothingIsBlind(t *testing.T) {
	first := true
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream("2")(w)
		if first {
			first = false
			stream("2", "3 revoked a")(w)
			return
		}
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-tick.C:
				_, _ = fmt.Fprint(w, ": still here\n\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	for n, err := range as(t, srv.URL, bearer).Remote(client.RemoteConfig{Patience: 400 * time.Millisecond}).Revocations(ctx, 2) {
		if err != nil {
			t.Fatal(err, got)
		}
		if got = append(got, say(n)); got[len(got)-1] == "blind" {
			break
		}
	}
	if !slices.Equal(got, []string{"3 token.revoked acme/a", "blind"}) {
		t.Fatalf("got %q", got)
	}
}

func TestRevocationsAgainstAServer(t *testing.T) {
	root, _ := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []string
	for n, err := range root.Remote(client.RemoteConfig{}).Revocations(ctx, client.Now) {
		if err != nil {
			t.Fatal(err)
		}
		switch n := n.(type) {
		case client.Missed:
			if _, _, err := root.IssueToken(ctx, "", wire.IssueToken{ID: "a"}); err != nil {
				t.Fatal(err)
			}
			if _, err := root.RevokeToken(ctx, "", "a", wire.Reason{}); err != nil {
				t.Fatal(err)
			}
		case client.Revoked:
			got = append(got, n.Type+" "+n.Account+"/"+n.Token)
		}
		if len(got) > 0 {
			break
		}
	}
	if !slices.Equal(got, []string{"token.revoked root/a"}) {
		t.Fatalf("got %q", got)
	}
}
