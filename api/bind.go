package api

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hallpass/domain"
)

// maxFaults is how many fields at fault one refusal names.
const maxFaults = 50

// binder puts a JSON value into one of the structs of api/wire, and gathers
// the fields that do not fit, up to maxFaults: unknown names and wrong types.
// Bounds are the domain's to judge.
type binder struct {
	faults []domain.Field
	more   bool // there are others
}

func (b *binder) fault(at, format string, args ...any) {
	if len(b.faults) == maxFaults {
		b.more = true
		return
	}
	b.faults = append(b.faults, domain.Field{Pointer: at, Detail: fmt.Sprintf(format, args...)})
}

// err returns one error for all faults, or nil.
func (b *binder) err() error {
	switch len(b.faults) {
	case 0:
		return nil
	case 1:
		return &domain.Error{Code: domain.CodeInvalid, Detail: b.faults[0].Detail, Fields: b.faults}
	}
	count := strconv.Itoa(len(b.faults))
	if b.more {
		count = "more than " + count
	}
	return &domain.Error{
		Code: domain.CodeInvalid, Fields: b.faults,
		Detail: fmt.Sprintf("%s fields are not right: %s", count, b.faults[0].Detail),
	}
}

var timeType = reflect.TypeFor[time.Time]()

func (b *binder) bind(v value, into reflect.Value, at string) {
	if b.more { // it is refused, whatever the rest holds
		return
	}
	switch into.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if v.kind == null { // none
			into.SetZero()
			return
		}
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	if into.Type() == timeType {
		b.time(v, into, at)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		b.object(v, into, at)
	case reflect.Map:
		b.texts(v, into, at)
	case reflect.Slice:
		if b.is(v, array, at) {
			into.Set(reflect.MakeSlice(into.Type(), len(v.items), len(v.items)))
			for i, item := range v.items {
				b.bind(item, into.Index(i), itemOf(at, i))
			}
		}
	case reflect.String:
		if b.is(v, text, at) {
			into.SetString(v.text)
		}
	case reflect.Bool:
		if b.is(v, boolean, at) {
			into.SetBool(v.truth)
		}
	case reflect.Int64:
		if b.is(v, number, at) {
			n, err := strconv.ParseInt(v.text, 10, 64)
			if err != nil {
				b.fault(at, "must be a whole number")
			}
			into.SetInt(n)
		}
	default:
		panic("api: no JSON is bound to " + into.Type().String())
	}
}

func (b *binder) is(v value, want kind, at string) bool {
	if v.kind != want {
		b.fault(at, "must be %s, not %s", want, v.kind)
	}
	return v.kind == want
}

func (b *binder) object(v value, into reflect.Value, at string) {
	if !b.is(v, object, at) {
		return
	}
	fields := fieldsOf(into.Type())
	for _, m := range v.members {
		if b.more {
			return
		}
		i, ok := fields.index[m.name]
		if !ok {
			b.fault(pointerTo(at, m.name), "is no field here; there are %s", strings.Join(fields.names, ", "))
			continue
		}
		b.bind(m.value, into.Field(i), pointerTo(at, m.name))
	}
}

func (b *binder) texts(v value, into reflect.Value, at string) {
	if !b.is(v, object, at) {
		return
	}
	m := make(map[string]string, len(v.members))
	for _, e := range v.members {
		if b.more {
			return
		}
		if b.is(e.value, text, pointerTo(at, e.name)) {
			m[e.name] = e.value.text
		}
	}
	into.Set(reflect.ValueOf(m))
}

func (b *binder) time(v value, into reflect.Value, at string) {
	if !b.is(v, text, at) {
		return
	}
	t, why := parseTime(v.text)
	if why != "" {
		b.fault(at, "%s", why)
	}
	into.Set(reflect.ValueOf(t))
}

// parseTime reads an RFC 3339 time from 1970 on. It may lie in the past.
func parseTime(s string) (time.Time, string) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, "must be a time as in 2026-12-31T23:59:59Z (RFC 3339)"
	}
	if t = t.UTC(); t.Year() < 1970 || t.Year() > 9999 {
		return t, "must be a time in the years 1970 to 9999, in UTC"
	}
	return t, ""
}

// fieldSet is the JSON names of a struct.
type fieldSet struct {
	names []string
	index map[string]int
}

var fieldSets sync.Map // reflect.Type → fieldSet

func fieldsOf(t reflect.Type) fieldSet {
	if f, ok := fieldSets.Load(t); ok {
		return f.(fieldSet)
	}
	f := fieldSet{index: map[string]int{}}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		f.names = append(f.names, name)
		f.index[name] = i
	}
	slices.Sort(f.names)
	fieldSets.Store(t, f)
	return f
}
