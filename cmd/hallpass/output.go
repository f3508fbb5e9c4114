package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// format is the value of -o.
type format string

const (
	asTable format = "table"
	asJSON  format = "json"
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "table|json" }
func (f *format) Set(s string) error {
	if s != string(asTable) && s != string(asJSON) {
		return fmt.Errorf("it is table or json")
	}
	*f = format(s)
	return nil
}

// output is how a command prints its one answer.
type output struct{ format format }

func (o *output) flags(c *cobra.Command) {
	o.format = asTable
	c.Flags().VarP(&o.format, "output", "o", "how to print the answer: table or json")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// print writes v as JSON, or its table.
func (o *output) print(w io.Writer, v any, table func(t *table)) error {
	if o.format == asJSON {
		return writeJSON(w, v)
	}
	t := table0()
	table(t)
	return t.write(w)
}

// printAll writes a list: {"items":[…]} as JSON, or a table with that head.
// Nothing is written when the list breaks off.
func printAll[T any](o *output, w io.Writer, items iter.Seq2[T, error], head []string, row func(T) []string) error {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return err
		}
		all = append(all, item)
	}
	return o.print(w, map[string]any{"items": all}, func(t *table) {
		t.row(head...)
		for _, item := range all {
			t.row(row(item)...)
		}
	})
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table gathers rows and writes them in columns.
type table struct {
	b strings.Builder
	w *tabwriter.Writer
}

func table0() *table {
	t := &table{}
	t.w = tabwriter.NewWriter(&t.b, 0, 0, 2, ' ', 0)
	return t
}

// row adds cells. What could move the cursor or fake a column is printed as
// a "?".
func (t *table) row(cells ...string) {
	for i, c := range cells {
		if i > 0 {
			_, _ = io.WriteString(t.w, "\t")
		}
		_, _ = io.WriteString(t.w, printable(c))
	}
	_, _ = io.WriteString(t.w, "\n")
}

func (t *table) write(w io.Writer) error {
	_ = t.w.Flush() // into memory
	lines := strings.Split(t.b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n"))
	return err
}

// printable is s with what no terminal should be sent replaced.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return stamp(*t)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// pairs writes a map as key=value, sorted.
func pairs(m map[string]string) string {
	var out []string
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
