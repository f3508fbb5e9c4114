package api

import (
	"bytes"
	"encoding/json"

	"hallpass/api/wire"
)

const (
	maxPage   = 4 << 20 // bytes of items after which a page ends, whatever its limit
	tokenStep = 16      // tokens taken at a time: a page is at most that much longer than maxPage
	eventStep = 64      // records read at a time, of at most domain.MaxEventSize each
)

// page is one page of a list in the making: at most limit items, and few more
// bytes than maxPage. It always has room for one item.
type page struct {
	limit int
	items []json.RawMessage
	bytes int
}

type pageList = wire.List[json.RawMessage]

func (p *page) full() bool { return len(p.items) >= p.limit || p.bytes >= maxPage }

// room returns how many items to ask for next, step at most.
func (p *page) room(step int) int { return min(step, p.limit-len(p.items)) }

func (p *page) add(item any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(item); err != nil {
		return err
	}
	p.items = append(p.items, b.Bytes())
	p.bytes += b.Len()
	return nil
}

// list is the page as answered; next is where to go on, empty on the last.
func (p *page) list(next string) pageList {
	l := pageList{Items: p.items}
	if l.Items == nil {
		l.Items = []json.RawMessage{}
	}
	if next != "" {
		l.NextCursor = &next
	}
	return l
}
