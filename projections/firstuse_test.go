package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// What is noted waits, once, until it is done.
func TestFirstUsesWait(t *testing.T) {
	u := projections.NewFirstUses()
	got := make(chan []projections.FirstUse)
	go func() {
		all, _ := u.Wait(context.Background())
		got <- all
	}()
	one := projections.FirstUse{Account: "a", Token: "t", Digest: domain.Digest{1}}
	u.Note(one.Account, one.Token, one.Digest)
	u.Note(one.Account, one.Token, one.Digest)
	if all := <-got; !slices.Equal(all, []projections.FirstUse{one}) {
		t.Errorf("got %v", all)
	}
	if all, err := u.Wait(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("before it is done: %v, %v", all, err)
	}
	u.Done(one)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if all, err := u.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after that: %v, %v", all, err)
	}
}

// However many there are, they take a bounded place, and the next use of what
// was left out tells it again.
func TestFirstUsesAreBounded(t *testing.T) {
	u := projections.NewFirstUses()
	for i := range 5000 {
		u.Note("a", domain.TokenID(fmt.Sprint(i)), domain.Digest{})
	}
	all, err := u.Wait(t.Context())
	if err != nil || len(all) != 1024 {
		t.Fatalf("%d wait, %v", len(all), err)
	}
	for _, use := range all {
		u.Done(use)
	}
	u.Note("a", "4999", domain.Digest{})
	if all, err := u.Wait(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d wait, %v", len(all), err)
	}
}

// Messages that are none, or of another stream, are nobody's use.
func TestOddMessagesAboutUses(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	u := projections.NewFirstUses()
	stop, err := projections.HearFirstUses(log, u)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	stream, digest := fmt.Sprintf("%x", log.Settings().Stream), fmt.Sprintf("%x", [32]byte(domain.Digest{7}))
	message := func(stream, digest, more string) string {
		return fmt.Sprintf(`{"stream":%q,"account":"a","token":"t","digest":%q%s}`, stream, digest, more)
	}
	for _, m := range []string{
		"", "null", "{}", message("00", digest, ""), message(fmt.Sprintf("%x", [16]byte{1}), digest, ""),
		message(stream, "77", ""), message(stream, digest, `,"more":1`), message(stream, digest, ""),
	} {
		if err := log.Send("used", []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := u.Wait(t.Context()) // they come in order: the last is the one that counts
	if want := []projections.FirstUse{{Account: "a", Token: "t", Digest: domain.Digest{7}}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("got %v, %v", all, err)
	}
}
