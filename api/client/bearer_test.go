package client_test

import (
	"errors"
	"testing"

	"hallpass/api/client"
)

func TestBearer(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   client.Secret
		err    error
	}{
		{[]string{"Bearer hp_a.b-c_~+/9=="}, "hp_a.b-c_~+/9==", nil},
		{[]string{"bEARER   abc  "}, "abc", nil},
		{nil, "", client.ErrNoBearer},
		{[]string{""}, "", client.ErrNoBearer},
		{[]string{"Basic dXNlcjpwYXNz"}, "", client.ErrNoBearer},
		{[]string{"Bearer"}, "", client.ErrBadBearer},
		{[]string{"Bearer =="}, "", client.ErrBadBearer},
		{[]string{"Bearer a b"}, "", client.ErrBadBearer},
		{[]string{"Bearer a\r\nX: y"}, "", client.ErrBadBearer},
		{[]string{"Bearer é"}, "", client.ErrBadBearer},
		{[]string{"Bearer a", "Bearer a"}, "", client.ErrBadBearer},
	} {
		if got, err := client.Bearer(c.values); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q: got %d bytes, %v, want %v", c.values, len(got), err, c.err)
		}
	}
}
