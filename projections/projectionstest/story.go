package projectionstest

import (
	"context"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Story writes facts into a log, one after another and without asking whether
// they are wise, and keeps the model of what they come to. It must be the only
// writer. It files what a rule would refuse, as a race would; what Evolve finds
// impossible it files only through Raw.
type Story struct {
	Log   eventstore.Log
	Model *Model

	t testing.TB
	n uint64 // facts made so far
}

// T0 is the time of a story's facts; each is a second after the one before.
const T0 = domain.Instant(1_790_000_000_000)

// NewStory starts a story over the log, and over what is in it already.
func NewStory(t testing.TB, log eventstore.Log) *Story {
	t.Helper()
	s := &Story{Log: log, Model: NewModel(), t: t}
	last, err := log.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range s.Records(1, last) {
		f, err := domain.Decode(rec.Data)
		if err == nil {
			err = s.Model.Apply(f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Records returns the log's records from the one to the other.
func (s *Story) Records(from, to eventstore.Seq) []eventstore.Record {
	s.t.Helper()
	r, err := s.Log.Read(context.Background(), from)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	var all []eventstore.Record
	buf := make([]eventstore.Record, 100)
	for from+eventstore.Seq(len(all)) <= to {
		n, err := r.Next(context.Background(), buf)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, buf[:n]...)
	}
	return all[:to-from+1]
}

// By returns the actor that a token is now.
func (s *Story) By(account domain.AccountID, token domain.TokenID) domain.Actor {
	return domain.Actor{
		Account: account, Token: token,
		Generation: s.Model.Tokens[eventstore.TokenSubject(account, token)].Generation,
	}
}

// Fact returns a fact that the operator wants now.
func (s *Story) Fact(account domain.AccountID, token domain.TokenID, e domain.Event) *domain.Fact {
	s.n++
	now := T0 + domain.Instant(s.n)*1000
	return &domain.Fact{
		ID:   domain.NewEventID(now, [10]byte{byte(s.n), byte(s.n >> 8), byte(s.n >> 16)}),
		Time: now, Authorised: s.Model.At, Account: account, Token: token, Event: e,
	}
}

// Append files the fact, and returns its place. It must be possible.
func (s *Story) Append(f *domain.Fact) eventstore.Seq {
	s.t.Helper()
	e := s.Model.Entry(f)
	if err := s.Model.Apply(f); err != nil {
		s.t.Fatal(err)
	}
	return s.append(e)
}

// Do files what the operator wants now.
func (s *Story) Do(account domain.AccountID, token domain.TokenID, e domain.Event) eventstore.Seq {
	s.t.Helper()
	return s.Append(s.Fact(account, token, e))
}

// Raw files anything; the model doesn't see it.
func (s *Story) Raw(subject eventstore.Subject, data []byte) eventstore.Seq {
	s.t.Helper()
	s.n++
	return s.append(eventstore.Entry{
		Subject: subject, Expect: s.Model.Last[subject], Type: "raw", Data: data,
		ID: domain.NewEventID(T0, [10]byte{byte(s.n), byte(s.n >> 8), 1}),
	})
}

func (s *Story) append(e eventstore.Entry) eventstore.Seq {
	s.t.Helper()
	seq, err := s.Log.Append(context.Background(), e)
	if err != nil {
		s.t.Fatalf("appending to %s: %v", e.Subject, err)
	}
	return seq
}

// Secret returns the nth of some secrets.
func Secret(n int) domain.Secret {
	return domain.NewSecret([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
}

// Issued returns the issue of an ordinary token, which may read buckets, with
// the nth secret.
func Issued(generation uint64, secret int) domain.TokenIssued {
	return domain.TokenIssued{
		Generation: generation, Enabled: true, Kind: domain.KindAPI,
		Permissions: ReadBuckets, Digest: Secret(secret).Digest(),
	}
}

// Derived returns the issue of such a token, derived from the first generation
// of another.
func Derived(parent domain.TokenID, secret int) domain.TokenIssued {
	e := Issued(1, secret)
	e.Parent = &domain.Link{Token: parent, Generation: 1}
	return e
}

// ReadBuckets is what an ordinary token may do.
var ReadBuckets = domain.Permissions{
	Mode:  domain.Union,
	Allow: []domain.Grant{{Resource: "/bucket", Actions: []domain.Action{"ReadBucket"}}},
}

// ReadBucket is a need that an ordinary token is granted.
var ReadBucket = domain.Need{Resource: "/bucket/a", Action: "ReadBucket", Level: domain.LevelRead}
