package projectionstest

// Count is how much a play has shown.
type Count struct {
	Allowed, Refused, Stale        int // checks
	Acknowledged, RanOut, NotFence int // fences: by acknowledgements alone, waiting for a lease, without a receipt
	Counted, Void                  int // commands
}

// Add adds what another play has shown.
func (c *Count) Add(o Count) {
	c.Allowed, c.Refused, c.Stale = c.Allowed+o.Allowed, c.Refused+o.Refused, c.Stale+o.Stale
	c.Acknowledged, c.RanOut, c.NotFence = c.Acknowledged+o.Acknowledged, c.RanOut+o.RanOut, c.NotFence+o.NotFence
	c.Counted, c.Void = c.Counted+o.Counted, c.Void+o.Void
}
