package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

const (
	usageFresh  = 2 * time.Second // how old the known usage of the stream may be
	usageWait   = time.Second     // how long asking for it may take
	alarmAt     = 70              // percent of its most bytes from which on an operator is told
	refuseAt    = 90              // percent from which on only what takes rights away is written
	alarmsEvery = time.Hour       // between two tellings
	leastFree   = 64 << 20        // bytes of disk below which the same holds: for barriers and what takes rights away
)

// capacity is how full the stream is, as far as known.
type capacity struct {
	log    eventstore.Log
	logger *slog.Logger

	asking sync.Mutex // held by who asks

	mu    sync.Mutex // guards what follows
	is    eventstore.Usage
	asked time.Time // when the log was last asked
	told  time.Time // when an operator was last told
}

// usage returns how full the stream is. At most one caller in usageFresh asks
// the log; the others get what is known.
func (c *capacity) usage(ctx context.Context) eventstore.Usage {
	is, fresh := c.known()
	if fresh || !c.asking.TryLock() {
		return is
	}
	defer c.asking.Unlock()
	if is, fresh = c.known(); fresh {
		return is
	}
	ctx, cancel := context.WithTimeout(ctx, usageWait)
	defer cancel()
	now, err := c.log.Usage(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = time.Now()
	if err != nil {
		c.logger.Debug("how full the stream is could not be learned", "error", err)
		return c.is
	}
	c.is = now
	c.alarmLocked()
	return now
}

func (c *capacity) known() (_ eventstore.Usage, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.is, time.Since(c.asked) < usageFresh
}

// alarmLocked tells an operator, now and then, that the stream is filling up.
func (c *capacity) alarmLocked() {
	switch full := percent(c.is); {
	case full < alarmAt:
		c.told = time.Time{}
	case time.Since(c.told) >= alarmsEvery:
		c.told = time.Now()
		c.logger.Warn("the stream is filling up: at 90 % of its most bytes it takes nothing but what takes rights away; raise --max-bytes",
			"percent", full, "bytes", c.is.Bytes, "max_bytes", c.is.MaxBytes)
	}
}

// percent is how full a stream is; 0 where no bound is stated.
func percent(u eventstore.Usage) uint64 {
	if u.MaxBytes == 0 {
		return 0
	}
	return uint64(float64(u.Bytes) / float64(u.MaxBytes) * 100)
}

// mayWrite refuses an event that some node can't read yet, and one that gives
// rights when the stream is nearly full: the rest is for what takes them.
func (s *Service) mayWrite(ctx context.Context, state domain.State, e domain.Event) error {
	if needs, reads := domain.LevelOf(e), s.proj.Reads(); needs > reads {
		return domain.Errorf(domain.CodeUpgrading, "a node can't read yet what this change would write (it reads level %d, this takes %d); nothing was changed, try again when all nodes are upgraded", reads, needs)
	}
	if _, ends := e.(domain.TokenRetired); ends || domain.Narrows(state, e) {
		return nil
	}
	u := s.capacity.usage(ctx)
	if full := percent(u); full >= refuseAt {
		return domain.Errorf(domain.CodeStreamFull, "the stream is %d %% full: it takes nothing but what takes rights away until it may be larger; nothing was changed", full)
	}
	if u.FreeTold && u.Free < leastFree {
		return domain.Errorf(domain.CodeStreamFull, "the disk of this node's copy has %d MiB left: it takes nothing but what takes rights away until there is room; nothing was changed", u.Free>>20)
	}
	return nil
}
