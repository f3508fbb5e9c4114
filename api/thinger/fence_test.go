package thinger

import (
	"testing"

	"hallpass/eventstore"
)

// Once rights that were taken away are answered to be gone, no node goes by
// them any more, not even one that hears nothing.
func TestWhatIsTakenAwayIsGoneEverywhere(t *testing.T) {
	for name, r := range map[string][3]string{
		"disabled":         {"PUT", "/t1", `{"enabled":false}`},
		"narrowed":         {"PUT", "/t1", `{"allow":{}}`},
		"denied":           {"PUT", "/t1", `{"deny":{"*":{"*":"*"}}}`},
		"ended":            {"PUT", "/t1", `{"expire":1}`},
		"deleted":          {"DELETE", "/t1", ""},
		"one of a deleted": {"DELETE", "", `["t1","t2"]`},
	} {
		t.Run(name, func(t *testing.T) {
			log := eventstore.NewMemory(eventstore.MemoryConfig{})
			w, deaf := newNode(t, "n1", log), newNode(t, "n2", log)
			w.home = w.open("home")
			bearer := w.create("t1", `"allow":{"Device":{"*":"*"}}`)
			w.create("t2", "")
			if err := deaf.proj.Position.Wait(t.Context(), w.svc.Revision()); err != nil {
				t.Fatal(err)
			}
			if got := deaf.may(bearer, "Device/d1", "ListDevices"); got != 200 {
				t.Fatalf("the other node answers %d", got)
			}
			deaf.log.Stall()
			answered := make(chan answer, 1)
			go func() { answered <- w.as(w.home, r[0], tokens+r[1], r[2]) }()
			var got answer
			for i := 0; i < 100 && got.status == 0; i++ { // some time, in which a change that does not wait is answered
				select {
				case got = <-answered:
				default:
					w.as(w.home, "GET", tokens+"/t2", "")
				}
			}
			if got.status != 0 && deaf.may(bearer, "Device/d1", "ListDevices") == 200 {
				t.Error("it is answered to be done, and a node lets it pass")
			}
			deaf.log.Resume()
			if got.status == 0 {
				got = <-answered
			}
			if got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if is := deaf.may(bearer, "Device/d1", "ListDevices"); is != 401 && is != 403 && is != 503 {
				t.Errorf("the other node answers %d", is)
			}
		})
	}
}
