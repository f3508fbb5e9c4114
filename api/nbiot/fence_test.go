package nbiot

import (
	"testing"

	"hallpass/eventstore"
)

// Once rights that were taken away are answered to be gone, no node goes by
// them any more, not even one that hears nothing.
func TestWhatIsTakenAwayIsGoneEverywhere(t *testing.T) {
	for method, body := range map[string]string{"PATCH": `{"write":false}`, "DELETE": ""} {
		t.Run(method, func(t *testing.T) {
			log := eventstore.NewMemory(eventstore.MemoryConfig{})
			w, deaf := newNode(t, "n1", log, keyring(t)), newNode(t, "n2", log, keyring(t))
			session := w.open("acme")
			a := w.create(session, `{"resource":"/teams","write":true}`)
			if err := deaf.proj.Position.Wait(t.Context(), w.svc.Revision()); err != nil {
				t.Fatal(err)
			}
			deaf.as(a, "POST", "/guard/teams", "").is(t, 200, `{}`)
			deaf.log.Stall()
			answered := make(chan answer, 1)
			go func() { answered <- w.as(session, method, "/tokens/"+a, body) }()
			var got answer
			for i := 0; i < 100 && got.status == 0; i++ { // some time, in which a change that does not wait is answered
				select {
				case got = <-answered:
				default:
					w.as(session, "GET", "/", "")
				}
			}
			if got.status != 0 && deaf.as(a, "POST", "/guard/teams", "").status == 200 {
				t.Error("it is answered to be done, and a node lets it pass")
			}
			deaf.log.Resume()
			if got.status == 0 {
				got = <-answered
			}
			if got.status/100 != 2 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if is := deaf.as(a, "POST", "/guard/teams", "").status; is != 401 && is != 403 && is != 503 {
				t.Errorf("the other node answers %d", is)
			}
		})
	}
}
