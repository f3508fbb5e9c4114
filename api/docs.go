package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hallpass/domain"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS string

var docsPage = template.Must(template.New("docs").Parse(docsHTML))

// docsPolicy lets the page use its own style sheet and nothing else: no
// script, no request.
var docsPolicy = func() string {
	sum := sha256.Sum256([]byte(docsCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

func (c *call) serveDocs() {
	h := c.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", strconv.Itoa(len(c.h.docs)))
	c.WriteHeader(http.StatusOK)
	c.send(c.h.docs)
}

// The page's own view of the document.
type docsView struct {
	Doc    *huma.OpenAPI
	CSS    template.CSS
	Groups []docsGroup
	Types  []docsType
	Codes  []docsCode
}

type docsGroup struct {
	Tag        *huma.Tag
	Operations []docsOperation
}

type docsOperation struct {
	Method, Path string
	*huma.Operation
	In, Out  string // names of schemas
	Answers  []docsAnswer
	NoBearer bool
}

type docsAnswer struct{ Status, About string }

type docsType struct {
	Name   string
	Fields []docsField
}

type docsField struct {
	Name, Type, About string
	Optional          bool
}

type docsCode struct {
	Code   domain.Code
	Status int
	Title  string
	About  string
}

// page renders the document for people.
func (h *handler) page(doc *huma.OpenAPI) []byte {
	v := docsView{Doc: doc, CSS: template.CSS(docsCSS)}
	for _, tag := range doc.Tags {
		g := docsGroup{Tag: tag}
		for _, rt := range h.routes {
			if rt.tag == tag.Name {
				g.Operations = append(g.Operations, rt.view(doc))
			}
		}
		v.Groups = append(v.Groups, g)
	}
	schemas := doc.Components.Schemas.Map()
	for name, s := range schemas {
		t := docsType{Name: name}
		for field, fs := range s.Properties {
			t.Fields = append(t.Fields, docsField{
				Name: field, Type: typeName(fs), About: fs.Description, Optional: !slices.Contains(s.Required, field),
			})
		}
		slices.SortFunc(t.Fields, func(a, b docsField) int { return strings.Compare(a.Name, b.Name) })
		v.Types = append(v.Types, t)
	}
	slices.SortFunc(v.Types, func(a, b docsType) int { return strings.Compare(a.Name, b.Name) })
	for code, st := range statuses {
		v.Codes = append(v.Codes, docsCode{code, st.http, st.title, st.about})
	}
	slices.SortFunc(v.Codes, func(a, b docsCode) int {
		return strings.Compare(strconv.Itoa(a.Status)+string(a.Code), strconv.Itoa(b.Status)+string(b.Code))
	})
	var out bytes.Buffer
	if err := docsPage.Execute(&out, v); err != nil {
		panic(err) // the page is made of what stands in this package
	}
	return out.Bytes()
}

func (rt *route) view(doc *huma.OpenAPI) docsOperation {
	item := doc.Paths[rt.path]
	op := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[rt.method]
	o := docsOperation{Method: rt.method, Path: rt.path, Operation: op, NoBearer: rt.open}
	if op.RequestBody != nil {
		o.In = refName(op.RequestBody.Content["application/json"].Schema)
	}
	for status, r := range op.Responses {
		o.Answers = append(o.Answers, docsAnswer{status, r.Description})
		if m := r.Content["application/json"]; m != nil {
			o.Out = refName(m.Schema)
		}
	}
	slices.SortFunc(o.Answers, func(a, b docsAnswer) int { return strings.Compare(a.Status, b.Status) })
	return o
}

func refName(s *huma.Schema) string { return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:] }

func typeName(s *huma.Schema) string {
	name := s.Type
	switch {
	case s.Ref != "":
		name = refName(s)
	case s.Type == "array":
		name = "list of " + typeName(s.Items)
	case s.Format == "date-time":
		name = "time"
	case s.Type == "object":
		name = "object"
	case s.Type == "":
		name = "anything"
	}
	if s.Nullable {
		name += " or null"
	}
	return name
}
