package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hallpass/api/wire"
	"hallpass/domain"
)

func init() { huma.DefaultArrayNullable = false } // no list is ever null here

// describe makes /openapi.json and /docs from the table of routes and the
// types of api/wire.
func (h *handler) describe() {
	doc := h.document()
	raw, err := json.Marshal(doc)
	if err != nil {
		panic(err) // the document is made of what stands in this package
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		panic(err)
	}
	h.openapi = append(out.Bytes(), '\n')
	h.docs = h.page(doc)
}

func (c *call) serveOpenAPI() {
	c.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	c.Header().Set("Content-Length", strconv.Itoa(len(c.h.openapi)))
	c.WriteHeader(http.StatusOK)
	c.send(c.h.openapi)
}

// document is the OpenAPI 3.1 description of all routes.
func (h *handler) document() *huma.OpenAPI {
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "hallpass", Version: h.cfg.Version,
			Description: "An event-sourced access-token service: issue, check, edit, disable, rotate and revoke tokens. Times are RFC 3339 in UTC. Every write answers with Hallpass-Revision, the place of its record in the stream; every read with the revision that it is at least as new as.",
		},
		Tags: []*huma.Tag{
			{Name: "use", Description: "What services ask on every request."},
			{Name: "tokens", Description: "Managing tokens."},
			{Name: "accounts", Description: "Managing accounts, the spaces in which token ids are unique."},
			{Name: "catalog", Description: "Defining resource types: what grants and checks may name."},
			{Name: "operations", Description: "For whoever runs the server."},
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", Description: "A token's secret: hp_ and 49 letters and digits."},
			},
		},
		Paths: map[string]*huma.PathItem{},
	}
	for _, rt := range h.routes {
		rt.describe(doc)
	}
	h.mend(doc.Components.Schemas)
	return doc
}

// mend says what struct tags can't: where an object may be null, and that
// answers, unlike requests, may have further fields one day.
func (h *handler) mend(schemas huma.Registry) {
	orNull := func(schema, field string) {
		p := schemas.Map()[schema].Properties
		p[field] = &huma.Schema{Description: p[field].Description, AnyOf: []*huma.Schema{{Ref: p[field].Ref}, {Type: "null"}}}
	}
	orNull("Decision", "grant")
	orNull("Token", "last_used")
	orNull("Whoami", "last_used")
	orNull("EditToken", "permissions")
	orNull("EditToken", "conditions")
	asked := map[string]bool{}
	for _, rt := range h.routes {
		if rt.in != nil {
			reach(schemas, schemaName(reflect.TypeOf(rt.in), ""), asked)
		}
	}
	for name, s := range schemas.Map() {
		if !asked[name] && s.AdditionalProperties == false {
			s.AdditionalProperties = nil
		}
	}
}

// reach notes the schema and all that it refers to.
func reach(schemas huma.Registry, name string, seen map[string]bool) {
	if seen[name] {
		return
	}
	seen[name] = true
	for _, p := range schemas.Map()[name].Properties {
		for _, s := range append([]*huma.Schema{p, p.Items}, p.AnyOf...) {
			if s != nil && s.Ref != "" {
				reach(schemas, refName(s), seen)
			}
		}
	}
}

// schemaName names a schema after its type: TokenList for List[Token].
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if item, ok := strings.CutPrefix(t.Name(), "List["); ok {
		return strings.TrimSuffix(item[strings.LastIndexByte(item, '.')+1:], "]") + "List"
	}
	if t.Name() == "" {
		return hint
	}
	return t.Name()
}

func (rt *route) describe(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas
	op := &huma.Operation{
		OperationID: rt.id, Summary: rt.summary, Description: rt.about, Tags: []string{rt.tag},
		Responses: map[string]*huma.Response{},
	}
	if !rt.open {
		op.Security = []map[string][]string{{"bearer": {}}}
	}
	for seg := range strings.SplitSeq(rt.path, "/") {
		if name, ok := strings.CutPrefix(seg, "{"); ok {
			op.Parameters = append(op.Parameters, &huma.Param{
				Name: strings.TrimSuffix(name, "}"), In: "path", Required: true,
				Schema: &huma.Schema{Type: "string", Pattern: "^[A-Za-z0-9_-]{1,64}$"},
			})
		}
	}
	for _, p := range rt.query {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.name, In: "query", Description: p.doc, Schema: p.schema()})
	}
	if rt.ifMatch {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "If-Match", In: "header", Description: "The token's ETag as last seen: refused with 412 if it has changed since.",
			Schema: &huma.Schema{Type: "string"},
		})
	}
	if rt.once {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: onceHeader, In: "header", Description: "1 to 255 printable ASCII characters. The same request with the same key within 24 h is answered with what the first one made, without its secret and with Idempotency-Replayed: true; another body with it is refused. It counts for this kind of request by this bearer's token; where the body names an id, for that token alone.",
			Schema: &huma.Schema{Type: "string"},
		})
	}
	if rt.readOnly() && !rt.open {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: minRevisionHeader, In: "header", Description: "Answer from this revision on, or a newer one: waits for it, for 5 s at most, and is refused as stale without it.",
			Schema: &huma.Schema{Type: "integer", Format: "int64"},
		})
	}
	if rt.id == "events" {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Last-Event-ID", In: "header", Description: "The id of the last event seen: the stream goes on after it.",
			Schema: &huma.Schema{Type: "integer", Format: "int64"},
		})
	}
	if rt.in != nil {
		types := []string{"application/json"}
		if rt.method == http.MethodPatch {
			types = append(types, "application/merge-patch+json")
		}
		op.RequestBody = &huma.RequestBody{Required: !rt.inAll, Content: map[string]*huma.MediaType{}}
		for _, t := range types {
			op.RequestBody.Content[t] = &huma.MediaType{Schema: schemas.Schema(reflect.TypeOf(rt.in), true, "")}
		}
	}
	op.Responses[strconv.Itoa(rt.success())] = rt.answer(schemas)
	if rt.made {
		op.Responses[strconv.Itoa(http.StatusCreated)] = rt.answer(schemas)
	}
	rt.refusals(op, schemas)
	item := doc.Paths[rt.path]
	if item == nil {
		item = &huma.PathItem{}
		doc.Paths[rt.path] = item
	}
	switch rt.method {
	case http.MethodGet:
		item.Get = op
	case http.MethodPost:
		item.Post = op
	case http.MethodPut:
		item.Put = op
	case http.MethodPatch:
		item.Patch = op
	case http.MethodDelete:
		item.Delete = op
	default:
		panic("api: no place in the document for " + rt.method)
	}
}

func (rt *route) success() int {
	if rt.status != 0 {
		return rt.status
	}
	return http.StatusOK
}

func (rt *route) answer(schemas huma.Registry) *huma.Response {
	r := &huma.Response{Description: http.StatusText(rt.success()), Content: map[string]*huma.MediaType{}}
	if rt.out == nil {
		r.Content[rt.outType] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
		return r
	}
	r.Content["application/json"] = &huma.MediaType{Schema: schemas.Schema(reflect.TypeOf(rt.out), true, "")}
	if rt.outType != "" { // where the client asks for it
		r.Content[rt.outType] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	}
	if rt.open {
		return r
	}
	whole := &huma.Schema{Type: "integer", Format: "int64"}
	r.Headers = map[string]*huma.Param{
		"Hallpass-Revision": {Description: "The revision written, or at least as new as what was read.", Schema: whole},
	}
	if !rt.readOnly() {
		r.Headers["Hallpass-Wait"] = &huma.Param{Description: "What was waited for.", Schema: &huma.Schema{Type: "string", Enum: []any{"all", "commit"}}}
	}
	if rt.once {
		r.Headers["Idempotency-Replayed"] = &huma.Param{Description: "true where the answer is that of an earlier request.", Schema: &huma.Schema{Type: "string", Enum: []any{"true"}}}
	}
	if _, token := rt.out.(wire.Token); token {
		r.Headers["ETag"] = &huma.Param{Description: "The token's revision in double quotes.", Schema: &huma.Schema{Type: "string"}}
	}
	return r
}

// refusals lists the problems of a route by status.
func (rt *route) refusals(op *huma.Operation, schemas huma.Registry) {
	codes := slices.Clone(rt.codes)
	if rt.id == "ready" {
		op.Responses["503"] = rt.answer(schemas)
	}
	if !rt.open {
		codes = append(codes, string(codeInvalidRequest), string(codeNoCredential), string(domain.CodeUnauthorized),
			string(domain.CodeStale), string(domain.CodeNotReady), string(codeBadPath), string(codeBadQuery), string(codeBadHeader), string(domain.CodeInvalid))
		if rt.id != "whoami" && rt.id != "catalog" {
			codes = append(codes, string(domain.CodeForbidden))
		}
	}
	if rt.in != nil {
		codes = append(codes, string(codeBadJSON), string(codeBodyTooLarge), string(codeBadEncoding), string(codeTimeout))
	}
	if rt.in != nil && rt.tag != "use" {
		codes = append(codes, string(domain.CodeActorRevoked), string(domain.CodeConflict), string(domain.CodeUnknown), string(domain.CodeStreamFull),
			string(domain.CodeUpgrading), string(domain.CodeNotFenced), string(domain.CodeHistoryDiffers), string(domain.CodeReplicaDamaged))
	}
	slices.Sort(codes)
	byStatus := map[int][]string{}
	for _, code := range slices.Compact(codes) {
		st := statusOf(domain.Code(code)).http
		byStatus[st] = append(byStatus[st], code)
	}
	for st, codes := range byStatus {
		op.Responses[strconv.Itoa(st)] = &huma.Response{
			Description: fmt.Sprintf("%s: %s", http.StatusText(st), strings.Join(codes, ", ")),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[wire.Problem](), true, "")}},
		}
	}
}

func (p param) schema() *huma.Schema {
	s := &huma.Schema{Type: p.typ}
	if p.typ == "date-time" {
		s.Type, s.Format = "string", "date-time"
	}
	for _, e := range p.enum {
		if p.typ == "boolean" {
			return s
		}
		s.Enum = append(s.Enum, e)
	}
	return s
}
