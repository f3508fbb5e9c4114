package projections

import "hallpass/domain"

// Peek is Check without asking whether the node may answer.
func (x *Index) Peek(secret domain.Secret, need domain.Need) Answer { return x.decide(secret, need) }
