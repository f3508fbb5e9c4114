package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"

	"hallpass/domain"
)

// Bounds of bodies, in bytes.
const (
	maxBody = 1 << 20
	maxForm = 16 << 10 // of one that is read before it is known who sends it
)

// readBody returns the body. Errors: body_too_large, unsupported_encoding,
// request_timeout, and bad_json for one that was cut off.
func (c *call) readBody() ([]byte, error) { return readBody(c.ResponseWriter, c.r, maxBody) }

func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	for _, e := range r.Header["Content-Encoding"] {
		if !strings.EqualFold(strings.TrimSpace(e), "identity") && strings.TrimSpace(e) != "" {
			return nil, domain.Errorf(codeBadEncoding, "bodies are read as they are: send no Content-Encoding")
		}
	}
	if r.ContentLength > most {
		return nil, errTooLong(most)
	}
	var buf bytes.Buffer
	if n := r.ContentLength; n > 0 {
		buf.Grow(int(n) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, most))
	var tooLarge *http.MaxBytesError
	var late interface{ Timeout() bool }
	switch {
	case err == nil:
		return buf.Bytes(), nil
	case errors.As(err, &tooLarge):
		return nil, errTooLong(most)
	case errors.As(err, &late) && late.Timeout():
		return nil, domain.Errorf(codeTimeout, "the body did not arrive in time")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, badJSON("the body is shorter than its Content-Length")
	}
	return nil, badJSON("the body could not be read")
}

func errTooLong(most int64) error {
	if most < 1<<20 {
		return domain.Errorf(codeBodyTooLarge, "a body has at most %d KiB here", most>>10)
	}
	return domain.Errorf(codeBodyTooLarge, "a body has at most %d MiB", most>>20)
}

// readJSON reads the body as JSON, whatever its Content-Type. An empty body is
// an empty object. The caller is judged again when the body is there: it may
// have taken as long as the server lets it, and no answer may rest on rights
// from before.
func (c *call) readJSON() (value, error) {
	body, err := c.readBody()
	if err != nil {
		return value{}, err
	}
	if err := c.judge(); err != nil {
		return value{}, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return value{kind: object}, nil
	}
	return parseJSON(body)
}

// readInto reads the body into one of the structs of api/wire.
func (c *call) readInto(into any) error {
	v, err := c.readJSON()
	if err != nil {
		return err
	}
	return bindInto(v, into)
}

func bindInto(v value, into any) error {
	var b binder
	b.bind(v, reflect.ValueOf(into).Elem(), "")
	return b.err()
}
