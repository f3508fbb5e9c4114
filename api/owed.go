package api

import (
	"sync"

	"hallpass/domain"
)

// owed are the revokes that could not be answered to be done, though they may
// be stored, or are: for who asks again, on this node, it is the first answer.
// What is forgotten, or asked of another node, is a second revoke, which does
// nothing, and is answered no sooner.
type owed struct {
	mu sync.Mutex         // guards to
	to map[asked]struct{} // at most reuseKept
}

// asked is who asked for the revoke of what.
type asked struct {
	target
	domain.Actor
}

// note remembers a revoke that was answered with err, if that leaves open whether
// it was done, or done everywhere.
func (o *owed) note(a asked, err error) {
	switch domain.CodeOf(err) {
	case domain.CodeUnknown, domain.CodeReplicaDamaged, domain.CodeNotFenced, domain.CodeHistoryDiffers:
	default:
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	makeRoom(o.to)
	o.to[a] = struct{}{}
}

// settle tells whether the answer was owed; it is not any more.
func (o *owed) settle(a asked) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, was := o.to[a]
	delete(o.to, a)
	return was
}
