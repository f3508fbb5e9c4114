package projections

import (
	"context"
	"fmt"
	"sync"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Entry is one fact of the stream, with its place and what became of it.
type Entry struct {
	Seq        Seq
	Stored     domain.Instant    // the stream's time
	Fact       *domain.Fact      // not to be changed
	Void       domain.VoidReason // "" if it counts
	SecretLost bool              // its secret is another token's, and is dead here
}

// History returns up to limit records of a token, or of the account itself
// when token is empty, numbered above after, in order, as far as this node has
// applied them. It reads the log. Errors are the log's, ctx's, and that of a
// record which can't be decoded.
func (p *Projection) History(ctx context.Context, account domain.AccountID, token domain.TokenID, after Seq, limit int) ([]Entry, error) {
	subject := eventstore.AccountSubject(account)
	if token != "" {
		subject = eventstore.TokenSubject(account, token)
	}
	records, err := p.log.History(ctx, subject, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s: %w", subject, err)
	}
	at := p.Position.At()
	entries := make([]Entry, 0, len(records))
	for i := range records {
		if records[i].Seq > at {
			break // its verdict isn't known here yet
		}
		e, err := p.verdicts.entry(&records[i])
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// verdicts remembers the records that did not do what they say. They are rare;
// all others are left out.
type verdicts struct {
	mu sync.RWMutex // guards by
	by map[Seq]verdict
}

type verdict struct {
	void       domain.VoidReason
	secretLost bool
}

func newVerdicts() *verdicts { return &verdicts{by: map[Seq]verdict{}} }

func (v *verdicts) note(seq Seq, is verdict) {
	if is == (verdict{}) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.by[seq] = is
}

// entry decodes a record that the fold has applied.
func (v *verdicts) entry(rec *eventstore.Record) (Entry, error) {
	fact, err := domain.Decode(rec.Data)
	if err != nil {
		return Entry{}, &RecordError{Seq: rec.Seq, Subject: rec.Subject, Why: err}
	}
	v.mu.RLock()
	is := v.by[rec.Seq]
	v.mu.RUnlock()
	return Entry{Seq: rec.Seq, Stored: rec.Stored, Fact: fact, Void: is.void, SecretLost: is.secretLost}, nil
}
