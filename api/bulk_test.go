package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
)

const bulkURL = "/v1/accounts/acme/tokens/revoke"

// newBulkWorld is a world with an account acme, and a manager in it named boss.
func newBulkWorld(t *testing.T, log eventstore.Log, cfg ServiceConfig) *world {
	t.Helper()
	w := newWorldOver(t, log, cfg)
	w.open("acme")
	w.issue("acme", `{"id":"boss","name":"boss",`+everything+`}`)
	return w
}

// crowd issues n tokens named name-… with that tag, by the service itself.
func (w *world) crowd(n int, name string, tags ...domain.Tag) {
	w.t.Helper()
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < n; i += 8 {
				secret, err := w.svc.NewSecret()
				if err != nil {
					w.t.Error(err)
					return
				}
				c := domain.IssueToken{Account: "acme", Token: domain.TokenID(fmt.Sprint(name, "-", i)), Name: fmt.Sprint(name, " ", i), Tags: tags, Digest: secret.Digest()}
				if _, err := w.svc.Do(context.Background(), w.svc.Operator(), c, WaitCommit); err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (w *world) bulk(body string) wire.RevokedTokens {
	w.t.Helper()
	return read[wire.RevokedTokens](w.t, w.must(w.root, "POST", bulkURL, body))
}

// living returns the ids of acme's tokens that are not revoked, sorted.
func (w *world) living() []string {
	w.t.Helper()
	var ids []string
	for _, t := range read[wire.List[wire.Token]](w.t, w.must(w.root, "GET", "/v1/accounts/acme/tokens?limit=1000", "")).Items {
		ids = append(ids, t.ID)
	}
	slices.Sort(ids)
	return ids
}

func (w *world) wantLiving(ids ...string) {
	w.t.Helper()
	slices.Sort(ids)
	if got := w.living(); !slices.Equal(got, ids) {
		w.t.Errorf("left are %v, want %v", got, ids)
	}
}

// Tokens are revoked that fit every selector given, and no others.
func TestBulkSelects(t *testing.T) {
	for _, row := range []struct {
		body string
		want []string // revoked
	}{
		{`{"ids":["a","b"]}`, []string{"a", "b"}},
		{`{"ids":["a","a"]}`, []string{"a"}},
		{`{"tag":"team"}`, []string{"a", "b"}},
		{`{"tag":"team:blue"}`, []string{"a"}},
		{`{"tag":"team:"}`, nil},
		{`{"name":"al"}`, []string{"a", "c"}},
		{`{"name":"al","tag":"team"}`, []string{"a"}},
		{`{"ids":["b","c"],"name":"al"}`, []string{"c"}},
		{`{"issuer":"acme/boss"}`, []string{"by-boss", "child", "grandchild"}},
		{`{"issuer":"acme/nobody"}`, nil},
		{`{"issued_before":"2100-01-01T00:00:00Z","name":"be"}`, []string{"b"}},
		{`{"issued_before":"2000-01-01T00:00:00Z"}`, nil},
		{`{"lineage":"c"}`, []string{"c", "child", "grandchild"}},
		{`{"lineage":"child"}`, []string{"child", "grandchild"}},
		{`{"lineage":"c","ids":["c","grandchild","a"]}`, []string{"c", "grandchild"}},
		{`{"lineage":"c","issuer":"acme/boss"}`, []string{"child", "grandchild"}},
	} {
		w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
		w.issue("acme", `{"id":"a","name":"alpha","tags":{"team":"blue"}}`)
		w.issue("acme", `{"id":"b","name":"beta","tags":{"team":"red"}}`)
		w.issue("acme", `{"id":"c","name":"alter"}`)
		boss := w.secretOf("boss")
		w.must(boss, "POST", "/v1/accounts/acme/tokens", `{"id":"by-boss"}`)
		w.descend("boss", "c", "child")
		w.descend("boss", "child", "grandchild")
		before := w.living()
		dry := w.bulk(strings.TrimSuffix(row.body, "}") + `,"dry_run":true}`)
		w.wantLiving(before...)
		did := w.bulk(row.body)
		slices.Sort(did.IDs)
		slices.Sort(dry.IDs)
		if !slices.Equal(did.IDs, dry.IDs) || !slices.Equal(did.IDs, row.want) && len(did.IDs)+len(row.want) > 0 {
			t.Errorf("%s revoked %v, a dry run said %v, want %v", row.body, did.IDs, dry.IDs, row.want)
		}
		if did.Revoked != len(row.want) || did.Matched != len(row.want) || dry.Matched != len(row.want) || dry.Revoked != 0 || dry.Bulk != "" || did.Bulk == "" {
			t.Errorf("%s: %+v, dry %+v", row.body, did, dry)
		}
		if (did.Receipt != nil) != (len(row.want) > 0) {
			t.Errorf("%s: receipt %v", row.body, did.Receipt)
		}
		w.wantLiving(slices.DeleteFunc(before, func(id string) bool { return slices.Contains(row.want, id) })...)
	}
}

// secretOf gives an existing token a new secret and returns it.
func (w *world) secretOf(id string) string {
	w.t.Helper()
	return read[wire.Token](w.t, w.must(w.root, "POST", "/v1/accounts/acme/tokens/"+id+"/rotate", "")).Secret
}

// descend issues a derived token, as the token by.
func (w *world) descend(by, parent, id string) {
	w.t.Helper()
	state, _ := w.proj.Directory.State(domain.Target{Account: "acme", Token: domain.TokenID(by)})
	caller := Caller{Authority: domain.AuthorityOf(state.Lineage(), &state.Account, w.svc.Revision()), Token: &state.Token, Account: state.Account}
	secret, err := w.svc.NewSecret()
	if err != nil {
		w.t.Fatal(err)
	}
	c := domain.IssueToken{Account: "acme", Token: domain.TokenID(id), Parent: domain.TokenID(parent), Digest: secret.Digest()}
	if _, err := w.svc.Do(context.Background(), caller, c, WaitCommit); err != nil {
		w.t.Fatal(err)
	}
}

// Sessions go only where they are meant.
func TestBulkAndSessions(t *testing.T) {
	for body, goes := range map[string]bool{
		`{"ids":["s","a"]}`: true, `{"issuer":"acme/boss"}`: true, `{"lineage":"s"}`: true,
		`{"name":"visit"}`: false, `{"tag":"team"}`: false, `{"issued_before":"2100-01-01T00:00:00Z","force":true}`: false,
	} {
		w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
		w.issue("acme", `{"id":"a"}`)
		state, _ := w.proj.Directory.State(domain.Target{Account: "acme", Token: "boss"})
		caller := Caller{Authority: domain.AuthorityOf(state.Lineage(), &state.Account, w.svc.Revision()), Token: &state.Token, Account: state.Account}
		secret, _ := w.svc.NewSecret()
		c := domain.IssueToken{Account: "acme", Token: "s", Name: "visit", Tags: []domain.Tag{{Key: "team", Value: "x"}}, Kind: domain.KindSession,
			ExpiresAt: w.svc.now() + 1000*3600, Digest: secret.Digest()}
		if _, err := w.svc.Do(t.Context(), caller, c, WaitCommit); err != nil {
			t.Fatal(err)
		}
		w.bulk(body)
		if is, _ := w.proj.Directory.Token("acme", "s"); is.Revoked != goes {
			t.Errorf("%s: the session is revoked: %v", body, is.Revoked)
		}
	}
}

// What is refused is refused whole, with its code, and nothing is done.
func TestBulkRefusals(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.issue("acme", `{"id":"a","name":"alpha"}`)
	w.issue("acme", `{"id":"b","name":"alpine"}`)
	many, _ := json.Marshal(make([]string, maxBulkIDs+1))
	before := w.living()
	for _, row := range []struct {
		body   string
		status int
		code   string
		says   string
	}{
		{`{}`, 422, "invalid", "say which tokens"},
		{`{"dry_run":true}`, 422, "invalid", "say which tokens"},
		{`{"ids":[]}`, 422, "invalid", "say which tokens"},
		{`{"ids":["a","no/id"]}`, 422, "invalid", ""},
		{`{"ids":` + string(many) + `}`, 422, "invalid", "10000"},
		{`{"ids":["a","x","b","y"]}`, 404, "not_found", "2 of the 4 ids"},
		{`{"tag":":v"}`, 422, "invalid", "key or key:value"},
		{`{"issuer":"acme"}`, 422, "invalid", "account/token"},
		{`{"issuer":"acme/a/b"}`, 422, "invalid", "account/token"},
		{`{"issued_before":"yesterday"}`, 422, "invalid", "RFC 3339"},
		{`{"lineage":"no id"}`, 422, "invalid", ""},
		{`{"name":"al","expect":-1}`, 422, "invalid", "number of tokens"},
		{`{"name":"al","reason":"because"}`, 422, "invalid", ""},
		{`{"name":"nothing","reason":"because"}`, 422, "invalid", ""},
		{`{"name":"al","reason_text":"` + strings.Repeat("x", 513) + `"}`, 422, "invalid", ""},
		{`{"name":"al","wait":"never"}`, 422, "invalid", "all or commit"},
		{`{"name":"al","more":1}`, 422, "invalid", "no field"},
		{`{"name":"al","expect":3}`, 409, "count_differs", "2 tokens fit, and 3"},
		{`{"name":"al","expect":3,"dry_run":true}`, 409, "count_differs", "2 tokens fit, and 3"},
		{`{"issued_before":"2100-01-01T00:00:00Z"}`, 409, "last_manager", "force"},
		{`{"ids":["boss"]}`, 409, "last_manager", "force"},
	} {
		p := refusedWith(t, w.as(w.root, "POST", bulkURL, row.body), row.status, row.code)
		if !strings.Contains(p.Detail, row.says) {
			t.Errorf("%.80s: %s", row.body, p.Detail)
		}
	}
	p := refusedWith(t, w.as(w.root, "POST", bulkURL, `{"ids":["a","x","b","y","hp_0"]}`), 404, "not_found")
	if len(p.Errors) != 3 || p.Errors[0].Pointer != "/ids/1" || p.Errors[1].Pointer != "/ids/3" || strings.Contains(fmt.Sprint(p.Errors), "hp_0") {
		t.Errorf("unknown ids are named as %+v", p.Errors)
	}
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts/none/tokens/revoke", `{"name":"al"}`), 404, "not_found")
	refusedWith(t, w.as("", "POST", bulkURL, `{"name":"al"}`), 401, "missing_token")
	refusedWith(t, w.as(w.root, "PUT", bulkURL, `{"name":"al"}`), 405, "method_not_allowed")
	w.wantLiving(before...)

	// A token may still be called like the route.
	w.issue("acme", `{"id":"revoke"}`)
	w.must(w.root, "GET", bulkURL, "")
	w.must(w.root, "DELETE", bulkURL, "")
	if allow := w.as(w.root, "OPTIONS", bulkURL, "").header.Get("Allow"); !strings.Contains(allow, "POST") || !strings.Contains(allow, "PATCH") {
		t.Errorf("Allow is %q", allow)
	}
}

// The last managers go together only by force.
func TestBulkLastManagers(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.issue("acme", `{"id":"boss2","name":"boss",`+everything+`}`)
	refusedWith(t, w.as(w.root, "POST", bulkURL, `{"name":"boss"}`), 409, "last_manager")
	refusedWith(t, w.as(w.root, "POST", bulkURL, `{"name":"boss","dry_run":true}`), 409, "last_manager")
	w.bulk(`{"ids":["boss"]}`)
	refusedWith(t, w.as(w.root, "POST", bulkURL, `{"name":"boss"}`), 409, "last_manager")
	if r := w.bulk(`{"name":"boss","force":true}`); r.Revoked != 1 {
		t.Errorf("%+v", r)
	}
	w.issue("acme", `{"id":"plain"}`) // where there is no manager, none is missed
	if r := w.bulk(`{"ids":["plain"]}`); r.Revoked != 1 {
		t.Errorf("%+v", r)
	}
}

// A caller with limited rights revokes what all of it he may, or nothing, and
// learns nothing of what he may not list.
func TestBulkRights(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	with := func(id, grants string) string {
		return w.issue("acme", `{"id":"`+id+`","permissions":{"allow":[`+grants+`]}}`).Secret
	}
	const onA, onAll, list = `{"resource":"/token/a","actions":["DeleteToken"]}`, `{"resource":"/token","actions":["DeleteToken"]}`, `{"resource":"/token","actions":["ListTokens"]}`
	one, oneAndList, blind, whole := with("one", onA), with("oneAndList", onA+","+list), with("blind", onAll), with("whole", onAll+","+list)
	w.issue("acme", `{"id":"a","name":"alpha"}`)
	w.issue("acme", `{"id":"b","name":"alpine"}`)
	before := w.living()
	for _, row := range []struct{ bearer, body string }{
		{one, `{"ids":["a","b"]}`}, {one, `{"ids":["a","unknown"]}`}, {one, `{"ids":["a"],"name":"al"}`}, {one, `{"name":"al"}`},
		{oneAndList, `{"name":"al"}`}, {oneAndList, `{"name":"al","dry_run":true}`}, {oneAndList, `{"name":"al","expect":7}`},
		{blind, `{"name":"al"}`}, {blind, `{"lineage":"a"}`}, {w.issue("acme", `{"id":"none"}`).Secret, `{"name":"nothing"}`},
	} {
		refusedWith(t, w.as(row.bearer, "POST", bulkURL, row.body), 403, "forbidden")
	}
	w.wantLiving(append(before, "none")...)
	w.must(one, "POST", bulkURL, `{"ids":["a"]}`)
	w.must(blind, "POST", bulkURL, `{"ids":["a","b"]}`)
	if r := read[wire.RevokedTokens](t, w.must(whole, "POST", bulkURL, `{"name":"al"}`)); r.Revoked != 0 || r.Matched != 0 {
		t.Errorf("%+v", r)
	}
	other := w.issue("root", `{"id":"other","permissions":{"allow":[`+onAll+","+list+`]}}`).Secret
	refusedWith(t, w.as(other, "POST", bulkURL, `{"name":"al"}`), 403, "forbidden")
}

// What is revoked already is told, covered by the receipt, and no error; each
// record says of which bulk it is.
func TestBulkAgain(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(20, "x", domain.Tag{Key: "team", Value: "blue"})
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/x-3", "")
	r := w.bulk(`{"ids":["x-1","x-2","x-3"],"reason":"policy","reason_text":"quarterly"}`)
	if r.Matched != 2 || r.Revoked != 2 || r.Already != 1 || r.Receipt == nil || r.Receipt.Revision < r.Revision {
		t.Errorf("%+v", r)
	}
	again := w.bulk(`{"ids":["x-1","x-2","x-3"]}`)
	if again.Matched != 0 || again.Revoked != 0 || again.Already != 3 || again.Receipt == nil || again.Revision != r.Revision {
		t.Errorf("%+v", again)
	}
	if n := w.bulk(`{"tag":"team","expect":17,"wait":"commit"}`); n.Revoked != 17 || n.Receipt != nil || n.CountMissed {
		t.Errorf("%+v", n)
	}
	if done := w.bulk(`{"tag":"team"}`); done.Revoked != 0 || done.Already != 0 || done.Receipt == nil {
		t.Errorf("what an earlier call did is not covered: %+v", done)
	}
	page := w.must(w.root, "GET", "/v1/accounts/acme/tokens/x-1/events", "")
	if !strings.Contains(page.body, r.Bulk) || !strings.Contains(page.body, "quarterly") {
		t.Errorf("the record does not tell of its bulk: %s", page.body)
	}
	if metrics := w.as("", "GET", "/metrics", "").body; !strings.Contains(metrics, `hallpass_commands_total{command="revoke_tokens",result="changed"} 2`) ||
		!strings.Contains(metrics, `hallpass_commands_total{command="revoke_tokens",result="unchanged"} 2`) {
		t.Error("the metrics don't count bulks")
	}
}

// The caller's own token goes last, and with it all that was asked for is done.
func TestBulkOfOneself(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(30, "x")
	boss := w.secretOf("boss")
	r := read[wire.RevokedTokens](t, w.must(boss, "POST", bulkURL, `{"issued_before":"2100-01-01T00:00:00Z","force":true}`))
	if r.Revoked != 31 || r.IDs[30] != "boss" || r.Receipt == nil {
		t.Errorf("%+v", r)
	}
	refusedWith(t, w.as(boss, "POST", bulkURL, `{"name":"x"}`), 401, "invalid_token")
	w.wantLiving()
}

// A derived caller that revokes what it was derived from ends with it.
func TestBulkOfOnesOrigin(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(3, "x")
	w.descend("boss", "boss", "child")
	w.descend("boss", "child", "grandchild")
	child := w.secretOf("child")
	r := read[wire.RevokedTokens](t, w.must(child, "POST", bulkURL, `{"issued_before":"2100-01-01T00:00:00Z","force":true}`))
	if r.Revoked != 5 || r.Already != 1 || r.IDs[4] != "boss" || r.Receipt == nil {
		t.Errorf("%+v", r)
	}
	w.wantLiving("child") // which its origin took along
	refusedWith(t, w.as(child, "GET", "/v1/whoami", ""), 401, "invalid_token")
}

// lines parses an answer in lines.
func lines(t *testing.T, a answer) (progress []wire.Progress, end map[string]any) {
	t.Helper()
	all := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
	for i, line := range all {
		if i == len(all)-1 {
			if err := json.Unmarshal([]byte(line), &end); err != nil {
				t.Fatalf("%v in %s", err, a.body)
			}
			break
		}
		progress = append(progress, read[wire.Progress](t, answer{body: line}))
	}
	return progress, end
}

var inLines = map[string]string{"Accept": "application/json;q=0.5, application/x-ndjson"}

// With that Accept, the answer comes in lines; a refusal keeps its status.
func TestBulkInLines(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(1200, "x")
	a := w.send(req{method: "POST", path: bulkURL, bearer: w.root, body: `{"name":"x"}`, header: inLines})
	progress, end := lines(t, a)
	if a.status != 200 || a.header.Get("Content-Type") != linesType || end["revoked"] != 1200.0 || end["bulk"] == "" || len(end["ids"].([]any)) != shownIDs {
		t.Errorf("%d %v: revoked %v, %d ids", a.status, a.header, end["revoked"], len(end["ids"].([]any)))
	}
	if len(progress) < 2 || progress[0] != (wire.Progress{Of: 1200}) || progress[len(progress)-1] != (wire.Progress{Revoked: 1200, Of: 1200}) {
		t.Errorf("progress was %v", progress)
	}
	refusedWith(t, w.send(req{method: "POST", path: bulkURL, bearer: w.root, body: `{"name":"x","expect":1}`, header: inLines}), 409, "count_differs")
	dry := w.send(req{method: "POST", path: bulkURL, bearer: w.root, body: `{"name":"x","dry_run":true}`, header: inLines})
	if dry.header.Get("Content-Type") != "application/json" {
		t.Errorf("a dry run is answered as %v", dry.header)
	}
}
