package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"hallpass/api/wire"
	"hallpass/eventstore"
	"hallpass/projections"
)

const (
	robotPath = "/v1/catalog/types/robot"
	robotBody = `{"description":"A robot.","actions":[{"name":"ListRobots","level":"list","description":"See them."},{"name":"MoveRobot","level":"write"}]}`
)

// typeNamed returns the type from GET /v1/catalog; nil if there is none.
func (w *world) typeNamed(name string) *wire.Type {
	w.t.Helper()
	types := read[wire.Catalog](w.t, w.must(w.root, "GET", "/v1/catalog", "")).Types
	if i := slices.IndexFunc(types, func(t wire.Type) bool { return t.Name == name }); i >= 0 {
		return &types[i]
	}
	return nil
}

// A type that is defined is known to checks and grants, is shown, and goes
// again when nobody uses it.
func TestTypesByCommand(t *testing.T) {
	w := newWorld(t)
	named := `{"id":"mover","permissions":{"allow":[{"resource":"/robot","actions":["MoveRobot"]}]}}`
	move := `{"action":"MoveRobot","resource":"/robot/r1"}`
	refusedWith(t, w.as(w.root, "POST", "/v1/check", move), 422, "invalid")
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts/root/tokens", named), 422, "invalid")

	made := w.as(w.root, "PUT", robotPath, robotBody)
	if got := read[wire.Type](t, made); made.status != 201 || got.Name != "robot" || got.Builtin || len(got.Actions) != 2 || got.Actions[0] != (wire.Action{Name: "ListRobots", Level: "list", Description: "See them."}) {
		t.Fatalf("%d %s", made.status, made.body)
	}
	if got := w.typeNamed("robot"); got == nil || got.Builtin || got.Description != "A robot." {
		t.Errorf("the catalogue has %+v", got)
	}
	if got := w.typeNamed("device"); got == nil || !got.Builtin {
		t.Errorf("the catalogue has %+v", got)
	}
	again := w.as(w.root, "PUT", robotPath, robotBody)
	if again.status != 200 {
		t.Errorf("the same again: %d %s", again.status, again.body)
	}
	mover := w.issue("root", named).Secret
	if d := read[wire.Decision](t, w.must(mover, "POST", "/v1/check", move)); !d.Allowed {
		t.Errorf("%+v", d)
	}
	if d := read[wire.Decision](t, w.must(mover, "POST", "/v1/check", `{"action":"ListRobots","resource":"/robot/r1"}`)); d.Allowed {
		t.Errorf("%+v", d)
	}
	replaced := w.must(w.root, "PUT", robotPath, `{"actions":[{"name":"MoveRobot","level":"write"},{"name":"StopRobot","level":"write"}]}`)
	if got := w.typeNamed("robot"); replaced.status != 200 || got.Description != "" || len(got.Actions) != 2 || got.Actions[1].Name != "StopRobot" {
		t.Errorf("%d, and the catalogue has %+v", replaced.status, got)
	}

	w.must(w.root, "DELETE", "/v1/accounts/root/tokens/mover", "")
	gone := read[wire.Type](t, w.must(w.root, "DELETE", robotPath, ""))
	if gone.Name != "robot" || len(gone.Actions) != 2 || w.typeNamed("robot") != nil {
		t.Errorf("the answer to DELETE is %+v", gone)
	}
	refusedWith(t, w.as(w.root, "DELETE", robotPath, ""), 404, "not_found")
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts/root/tokens", named), 422, "invalid")
	if got := w.as(w.root, "PUT", robotPath, robotBody); got.status != 201 {
		t.Errorf("made again: %d %s", got.status, got.body)
	}
}

// An action that grants name can't go, with its type or out of it: the refusal
// names up to ten of the tokens.
func TestTypesInUseStay(t *testing.T) {
	w := newWorld(t)
	w.must(w.root, "PUT", robotPath, robotBody)
	w.open("acme")
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"} {
		w.issue("acme", `{"id":"`+id+`","permissions":{"deny":[{"resource":"/robot","actions":["MoveRobot"]}]}}`)
	}
	p := refusedWith(t, w.as(w.root, "DELETE", robotPath, ""), 409, "type_in_use")
	if !strings.Contains(p.Detail, "acme/a, acme/b") || strings.Contains(p.Detail, "acme/k") || !strings.Contains(p.Detail, "and others") {
		t.Errorf("it says %q", p.Detail)
	}
	refusedWith(t, w.as(w.root, "PUT", robotPath, `{"actions":[{"name":"ListRobots","level":"list"}]}`), 409, "type_in_use")
	w.must(w.root, "PUT", robotPath, `{"actions":[{"name":"MoveRobot","level":"write"}]}`) // nobody names the other
	if got := w.typeNamed("robot"); len(got.Actions) != 1 {
		t.Errorf("%+v", got)
	}
}

// What can't be a type is refused, each with its place.
func TestBadTypes(t *testing.T) {
	w := newWorld(t)
	w.must(w.root, "PUT", robotPath, robotBody)
	for _, row := range []struct {
		name, method, path, body string
		status                   int
		code, pointer            string
	}{
		{"a built-in one", "PUT", "/v1/catalog/types/device", robotBody, 403, "forbidden", ""},
		{"removing a built-in one", "DELETE", "/v1/catalog/types/token", "", 403, "forbidden", ""},
		{"a level that changes", "PUT", robotPath, `{"actions":[{"name":"MoveRobot","level":"read"},{"name":"ListRobots","level":"list"}]}`, 422, "invalid", "/actions/0/level"},
		{"a level that is another elsewhere", "PUT", "/v1/catalog/types/car", `{"actions":[{"name":"ListDevices","level":"write"}]}`, 422, "invalid", "/actions/0/level"},
		{"a level that is none", "PUT", "/v1/catalog/types/car", `{"actions":[{"name":"Drive","level":"admin"}]}`, 422, "invalid", "/actions/0/level"},
		{"an action without a level", "PUT", "/v1/catalog/types/car", `{"actions":[{"name":"Drive"}]}`, 422, "invalid", "/actions/0/level"},
		{"an action twice", "PUT", "/v1/catalog/types/car", `{"actions":[{"name":"Drive","level":"write"},{"name":"Drive","level":"write"}]}`, 422, "invalid", "/actions/1/name"},
		{"an action with a *", "PUT", "/v1/catalog/types/car", `{"actions":[{"name":"Drive*","level":"write"}]}`, 422, "invalid", "/actions/0/name"},
		{"an action that is a level", "PUT", "/v1/catalog/types/car", `{"actions":[{"name":"read","level":"read"}]}`, 422, "invalid", "/actions/0/name"},
		{"no actions", "PUT", "/v1/catalog/types/car", `{}`, 422, "invalid", "/actions"},
		{"an unknown field", "PUT", "/v1/catalog/types/car", `{"builtin":true}`, 422, "invalid", "/builtin"},
		{"a name that is none", "PUT", "/v1/catalog/types/a:b", robotBody, 400, "bad_path", ""},
		{"a wait that is none", "DELETE", robotPath + "?wait=some", "", 422, "invalid", "/query/wait"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := refusedWith(t, w.as(w.root, row.method, row.path, row.body), row.status, row.code)
			if row.pointer != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != row.pointer) {
				t.Errorf("it names %+v, want %s", p.Errors, row.pointer)
			}
		})
	}
	w.must(w.root, "DELETE", robotPath, "")
	p := refusedWith(t, w.as(w.root, "PUT", robotPath, `{"actions":[{"name":"MoveRobot","level":"read"}]}`), 422, "invalid")
	if p.Errors[0].Pointer != "/actions/0/level" {
		t.Errorf("after the type was removed: %+v", p.Errors)
	}
}

// It takes a token of the account root with the action on that type.
func TestWhoMayDefineTypes(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	outside := w.issue("acme", `{"id":"all",`+everything+`}`).Secret
	robots := w.issue("root", `{"id":"robots","permissions":{"allow":[{"resource":"/catalog/robot","actions":["DefineType"]}]}}`).Secret
	refusedWith(t, w.as(outside, "PUT", robotPath, robotBody), 403, "forbidden")
	refusedWith(t, w.as(robots, "PUT", "/v1/catalog/types/car", robotBody), 403, "forbidden")
	w.must(robots, "PUT", robotPath, robotBody)
	refusedWith(t, w.as(robots, "DELETE", robotPath, ""), 403, "forbidden")
	refusedWith(t, w.as(outside, "DELETE", robotPath, ""), 403, "forbidden")
	refusedWith(t, w.as("", "PUT", robotPath, robotBody), 401, "missing_token")
}

// A type is known on every node once a change of it has waited for all of them,
// and those who follow the account root are told.
func TestTypesEverywhere(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w := newWorldOver(t, log, ServiceConfig{})
	b := join(t, log, projections.NodeConfig{Name: "b"})
	w.open("acme")
	s := w.follow(w.root, "?account=root", "")
	all := w.follow(w.root, "", "")
	mine := w.follow(w.issue("acme", `{"id":"own",`+everything+`}`).Secret, "", "")
	all.expect("token.issued", "own")
	first := w.must(w.root, "PUT", robotPath+"?wait=all", robotBody)
	if b.proj.Directory.Catalog().Type("robot") == nil || read[wire.Type](t, first).Receipt == nil {
		t.Error("the other node does not know the type")
	}
	again := read[wire.Type](t, w.must(w.root, "PUT", robotPath+"?wait=all", robotBody))
	if again.Receipt == nil || again.Receipt.Revision != read[wire.Type](t, first).Receipt.Revision {
		t.Errorf("the same again has the receipt %+v", again.Receipt)
	}
	w.must(w.root, "DELETE", robotPath+"?wait=all", "")
	if b.proj.Directory.Catalog().Type("robot") != nil {
		t.Error("the other node still knows the type")
	}
	defined := s.expect("type.defined", "")
	if defined.data.Account != "root" || defined.data.Change["type"] != "robot" || defined.data.Actor.Token != "root" {
		t.Errorf("%+v", defined.data)
	}
	s.expect("type.removed", "")
	all.expect("type.defined", "")
	w.issue("acme", `{"id":"next"}`)
	mine.expect("token.issued", "next")
	if w.as(w.root, http.MethodGet, robotPath, "").status != 405 {
		t.Error("one type can be read by itself")
	}
}
