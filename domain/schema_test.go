package domain_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"hallpass/domain"
)

func eventProto(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	c := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := c.Compile(t.Context(), "event.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files[0]
}

// What the codec writes is what event.proto describes: a protobuf library
// reads every golden fact by it, finds the values that the Go fields of the
// same name hold, and writes the same bytes.
func TestCodecKeepsToTheSchema(t *testing.T) {
	file := eventProto(t)
	used := usage{}
	for name, f := range goldens {
		t.Run(name, func(t *testing.T) {
			data := domain.Encode(&f)
			m := dynamicpb.NewMessage(file.Messages().ByName("Fact"))
			readWhole(t, m, data)
			used.add(m)

			field := func(name protoreflect.Name) protoreflect.Value { return m.Get(m.Descriptor().Fields().ByName(name)) }
			if got := field("type").String(); got != f.Event.Type() {
				t.Errorf("type: got %s, want %s", got, f.Event.Type())
			}
			sameFields(t, m, reflect.ValueOf(f))

			body := dynamicpb.NewMessage(file.Messages().ByName(bodyMessage(f.Event.Type())))
			readWhole(t, body, field("body").Bytes())
			used.add(body)
			event := reflect.ValueOf(f.Event)
			if e, ok := f.Event.(domain.TypeDefined); ok {
				event = reflect.ValueOf(e.Def)
			}
			sameFields(t, body, event)
		})
	}
	for _, name := range schemaLines(file) {
		if item, _, _ := strings.Cut(name, " "); !used[item] && !strings.HasSuffix(item, "_UNSPECIFIED") {
			t.Errorf("no golden file has %s", item)
		}
	}
}

// bodyMessage is the rule that event.proto states at Fact.type.
func bodyMessage(typ string) protoreflect.Name {
	var name strings.Builder
	for part := range strings.SplitSeq(typ, ".") {
		name.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return protoreflect.Name(name.String())
}

func readWhole(t *testing.T, m *dynamicpb.Message, data []byte) {
	t.Helper()
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatalf("%s: %v", m.Descriptor().Name(), err)
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(data) {
		t.Errorf("%s: the library writes\n     %x\nthe codec\n     %x", m.Descriptor().Name(), again, data)
	}
}

// sameFields holds that the fields of m and those of the Go struct v have the
// same names and values. What Fact has beyond that is its type and its body; what
// Go has beyond that, of an older version, has no value.
func sameFields(t *testing.T, m protoreflect.Message, v reflect.Value) {
	t.Helper()
	if unknown := m.GetUnknown(); len(unknown) > 0 {
		t.Errorf("%s: unknown fields %x", m.Descriptor().Name(), unknown)
	}
	names := map[string]bool{}
	sameNamed(t, m, v, names)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !names[f.Name] && f.IsExported() && !v.Field(i).IsZero() && v.Type() != reflect.TypeFor[domain.Fact]() {
			t.Errorf("%s.%s is not in the schema", v.Type(), f.Name)
		}
	}
}

// sameNamed adds the names of the fields of m to names. Those of a Provenance
// stand in the Go struct itself.
func sameNamed(t *testing.T, m protoreflect.Message, v reflect.Value, names map[string]bool) {
	t.Helper()
	for i := range m.Descriptor().Fields().Len() {
		fd := m.Descriptor().Fields().Get(i)
		name := goName(fd.Name())
		if fd.FullName() == "hallpass.v1.Fact.type" || fd.FullName() == "hallpass.v1.Fact.body" {
			continue
		}
		if fd.Kind() == protoreflect.MessageKind && fd.Message().Name() == "Provenance" {
			sameNamed(t, m.Get(fd).Message(), v, names)
			continue
		}
		names[name] = true
		g := v.FieldByName(name)
		if !g.IsValid() {
			t.Errorf("%s: %s has no field %s", fd.FullName(), v.Type(), name)
			continue
		}
		if g.Kind() == reflect.Pointer {
			if m.Has(fd) == g.IsNil() {
				t.Errorf("%s: there: %v, nil in Go: %v", fd.FullName(), m.Has(fd), g.IsNil())
			}
			if g.IsNil() {
				continue
			}
			g = g.Elem()
		}
		sameValue(t, fd, m.Get(fd), g)
	}
}

func sameValue(t *testing.T, fd protoreflect.FieldDescriptor, p protoreflect.Value, g reflect.Value) {
	t.Helper()
	if fd.IsList() {
		list := p.List()
		if list.Len() != g.Len() {
			t.Fatalf("%s: got %d, want %d", fd.FullName(), list.Len(), g.Len())
		}
		for i := range list.Len() {
			sameItem(t, fd, list.Get(i), g.Index(i))
		}
		return
	}
	sameItem(t, fd, p, g)
}

func sameItem(t *testing.T, fd protoreflect.FieldDescriptor, p protoreflect.Value, g reflect.Value) {
	t.Helper()
	var got any
	switch fd.Kind() {
	case protoreflect.MessageKind:
		if set := fd.Message(); set.Name() == "TagSet" {
			sameValue(t, set.Fields().Get(0), p.Message().Get(set.Fields().Get(0)), g)
			return
		}
		sameFields(t, p.Message(), g)
		return
	case protoreflect.BytesKind:
		if prefix, ok := g.Interface().(netip.Prefix); ok {
			if want := append(prefix.Addr().AsSlice(), byte(prefix.Bits())); string(p.Bytes()) != string(want) {
				t.Errorf("%s: got %x, want %x", fd.FullName(), p.Bytes(), want)
			}
			return
		}
		if g.Kind() == reflect.Slice {
			if string(p.Bytes()) != string(g.Bytes()) {
				t.Errorf("%s: got %x, want %x", fd.FullName(), p.Bytes(), g.Bytes())
			}
			return
		}
		array := reflect.New(g.Type()).Elem()
		if n := reflect.Copy(array, reflect.ValueOf(p.Bytes())); n != g.Len() || n != len(p.Bytes()) {
			t.Errorf("%s: got %d bytes, want %d", fd.FullName(), len(p.Bytes()), g.Len())
		}
		got = array.Interface()
	case protoreflect.EnumKind:
		number := p.Enum()
		if g.Type() == reflect.TypeFor[domain.Managers]() {
			number-- // its zero value means any
		}
		got = reflect.ValueOf(number).Convert(g.Type()).Interface()
		wantName := strings.ToUpper(fmt.Sprintf("%s_%s", fd.Enum().Name(), g.Interface()))
		if name := fd.Enum().Values().ByNumber(p.Enum()).Name(); string(name) != wantName {
			t.Errorf("%s: got %s, want %s", fd.FullName(), name, wantName)
		}
	default:
		got = reflect.ValueOf(p.Interface()).Convert(g.Type()).Interface()
	}
	if got != g.Interface() {
		t.Errorf("%s: got %v, want %v", fd.FullName(), got, g.Interface())
	}
}

// goName returns NotBefore for not_before, and ID for id.
func goName(name protoreflect.Name) string {
	if name == "id" {
		return "ID"
	}
	var s strings.Builder
	for part := range strings.SplitSeq(string(name), "_") {
		s.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return s.String()
}

// usage holds the messages, fields and enum values that some fact had.
type usage map[string]bool

func (u usage) add(m protoreflect.Message) {
	u[string(m.Descriptor().Name())] = true
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		u[fmt.Sprintf("%s.%s", m.Descriptor().Name(), fd.Name())] = true
		switch {
		case fd.IsList() && fd.Kind() == protoreflect.MessageKind:
			for i := range v.List().Len() {
				u.add(v.List().Get(i).Message())
			}
		case fd.Kind() == protoreflect.MessageKind:
			u.add(v.Message())
		case fd.Kind() == protoreflect.EnumKind:
			u[fmt.Sprintf("%s.%s", fd.Enum().Name(), fd.Enum().Values().ByNumber(v.Enum()).Name())] = true
		}
		return true
	})
}

// schemaLines returns a line for each message, field and enum value.
func schemaLines(file protoreflect.FileDescriptor) (lines []string) {
	for i := range file.Messages().Len() {
		m := file.Messages().Get(i)
		lines = append(lines, string(m.Name()))
		for j := range m.Fields().Len() {
			lines = append(lines, schemaLine(m.Fields().Get(j)))
		}
	}
	for i := range file.Enums().Len() {
		e := file.Enums().Get(i)
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			lines = append(lines, fmt.Sprintf("%s.%s %d value", e.Name(), v.Name(), v.Number()))
		}
	}
	return lines
}

func schemaLine(fd protoreflect.FieldDescriptor) string {
	typ, label := fd.Kind().String(), "singular"
	switch fd.Kind() {
	case protoreflect.MessageKind:
		typ = string(fd.Message().Name())
	case protoreflect.EnumKind:
		typ = string(fd.Enum().Name())
	}
	switch {
	case fd.IsList():
		label = "repeated"
	case fd.HasOptionalKeyword():
		label = "optional"
	}
	return fmt.Sprintf("%s.%s %d %s %s", fd.Parent().Name(), fd.Name(), fd.Number(), typ, label)
}

// Whatever was in the schema once is in streams, and must still be in it.
func TestSchemaOnlyGrows(t *testing.T) {
	path := filepath.Join("testdata", "schema.golden")
	now := schemaLines(eventProto(t))
	text, err := os.ReadFile(path)
	if err != nil && !(os.IsNotExist(err) && *update) {
		t.Fatal(err)
	}
	listed := strings.FieldsFunc(string(text), func(c rune) bool { return c == '\n' })
	for _, line := range listed {
		if !slices.Contains(now, line) {
			t.Errorf("event.proto no longer has: %s", line)
		}
	}
	var added []string
	for _, line := range now {
		if !slices.Contains(listed, line) {
			added = append(added, line)
		}
	}
	switch {
	case len(added) == 0:
	case *update:
		if err := os.WriteFile(path, []byte(strings.Join(append(listed, added...), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("not listed in %s; go test -update adds it:\n%s", path, strings.Join(added, "\n"))
	}
}
