package projections_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

// Readers check while the index grows from nothing, with every secret issued,
// rotated away or revoked. An answer that claims a revision shows what that
// revision says: granted from the issue on, and never after the end.
func TestChecksAreTrueToTheRevisionTheyClaim(t *testing.T) {
	const tokens = 2000
	log := eventstore.NewMemory(eventstore.MemoryConfig{Now: projectionstest.T0.Time})
	story := projectionstest.NewStory(t, log)
	story.Do("acme", "", domain.AccountOpened{Name: "Acme"})
	// Written before it is followed: who reads knows what each revision says.
	type life struct{ secret, from, to eventstore.Seq }
	var lives []life
	for i := range eventstore.Seq(tokens) {
		id := domain.TokenID("t" + strconv.Itoa(int(i)))
		issued := story.Do("acme", id, projectionstest.Issued(1, int(2*i)))
		if i%3 == 0 {
			lives = append(lives, life{2 * i, issued, 1 << 40})
			continue
		}
		end := story.Do("acme", id, domain.TokenRotated{Digest: projectionstest.Secret(int(2*i + 1)).Digest()})
		lives = append(lives, life{2 * i, issued, end})
		if i%3 == 1 {
			lives = append(lives, life{2*i + 1, end, story.Do("acme", id, domain.TokenRevoked{Reason: policy})})
		}
	}
	secrets := make([]domain.Secret, 2*tokens)
	for i := range secrets {
		secrets[i] = projectionstest.Secret(i)
	}
	last := story.Model.At

	// Records come a few at a time, so that readers see many revisions.
	link := projectionstest.NewLink(&slow{Log: log})
	p := projections.Open(link, projections.Config{Logger: quiet, Hook: unleased, Now: func() domain.Instant { return projectionstest.T0 }})
	defer p.Close()
	var all sync.WaitGroup
	for r := range 3 {
		all.Go(func() {
			for i := r * 7; ; i += 13 {
				l := lives[i%len(lives)]
				before := p.Position.At()
				// Bearer's answer without the gate, which is shut while replaying.
				a := p.Index.Peek(secrets[l.secret], projectionstest.ReadBucket)
				after := p.Position.At()
				switch {
				case a.At < before:
					t.Errorf("the answer claims %d, and %d was applied before", a.At, before)
				case a.At >= l.to && a.Verdict != domain.WasRevoked,
					a.At >= l.from && after+atOnce < l.to && a.Verdict != domain.Granted,
					a.At >= l.from && a.Verdict == domain.UnknownSecret:
					t.Errorf("secret %d, granted from %d to %d, is %s at %d (applied: %d)", l.secret, l.from, l.to, a.Verdict, a.At, after)
				}
				if after >= last && i > 20*len(lives) || t.Failed() {
					return
				}
			}
		})
	}
	all.Wait()
}

const atOnce = 3 // records may be in effect before the position says so

// slow is a log whose readers bring few records at once.
type slow struct{ eventstore.Log }

func (l *slow) Read(ctx context.Context, from eventstore.Seq) (eventstore.Reader, error) {
	r, err := l.Log.Read(ctx, from)
	return &slowReader{r}, err
}

type slowReader struct{ eventstore.Reader }

func (r *slowReader) Next(ctx context.Context, buf []eventstore.Record) (int, error) {
	return r.Reader.Next(ctx, buf[:min(atOnce, len(buf))])
}
