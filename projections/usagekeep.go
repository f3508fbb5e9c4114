package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	usageRetry   = time.Second      // how soon the first read of the shelf is tried again
	usageTimeout = 20 * time.Second // what a flush may take
	usagePuts    = 8                // values that are put at a time
	usageFree    = 64 << 20         // bytes of disk below which nothing is put: what is left is for what takes rights away
)

// run flushes every so often, until ctx ends.
func (u *Usage) run(ctx context.Context) {
	for {
		within, cancel := context.WithTimeout(ctx, usageTimeout)
		err := u.Flush(within)
		cancel()
		pause := u.every
		if err != nil && !u.Known() {
			pause = min(pause, usageRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Flush puts on the shelf what was used here since the last time, and reads what
// was put there by other nodes. What an error leaves undone is done the next
// time. It does nothing where uses are not gathered.
func (u *Usage) Flush(ctx context.Context) error {
	if !u.On() {
		return nil
	}
	u.flushing.Lock()
	defer u.flushing.Unlock()
	err := u.readShelf(ctx)
	u.collect()
	if err == nil {
		err = u.room(ctx)
	}
	if err == nil { // else what this node had put there would be put over
		err = u.putAll(ctx)
	}
	u.outage.note(ctx, err)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.status.Errors++
		return err
	}
	u.status.Flushes++
	u.status.Last = u.index.wall()
	return nil
}

// room refuses to put anything where the disk is nearly full. Where that can't be
// learned, there is room.
func (u *Usage) room(ctx context.Context) error {
	if is, err := u.log.Usage(ctx); err == nil && is.FreeTold && is.Free < usageFree {
		return fmt.Errorf("the disk of this node's copy has %d MiB left", is.Free>>20)
	}
	return nil
}

// readShelf takes in what has changed on the shelf.
func (u *Usage) readShelf(ctx context.Context) error {
	var strange error
	read, err := u.shelf.Since(ctx, u.read, func(key string, value []byte) {
		if err := u.take(key, value); err != nil {
			strange = err
		}
	})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.read = read
	if err != nil {
		return err
	}
	u.known = true
	return strange
}

// take takes in one value. Of its own, a node reads only what an earlier life
// has left.
func (u *Usage) take(key string, value []byte) error {
	node, hex, _ := strings.Cut(key, ".")
	shard, err := strconv.ParseUint(hex, 16, 16)
	table, ok := readUses(value)
	if err != nil || shard >= usageShards || !ok {
		return fmt.Errorf("the value of %s can't be read: a newer hallpass may have written it", key)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case node == u.self && u.known:
		return nil
	case node == u.self:
		own := u.nodes[node]
		table, _ = table.with(own[shard].records())
	case u.nodes[node] == nil:
		u.nodes[node] = new([usageShards]useTable)
	}
	u.nodes[node][shard] = table
	return nil
}

// collect adds to the tables what the cells have gathered.
func (u *Usage) collect() {
	var shards [usageShards][]taken
	for _, t := range u.gathered.take() {
		n := t.key.shard()
		shards[n] = append(shards[n], t)
	}
	for n, all := range shards {
		if len(all) > 0 {
			u.add(n, all)
		}
	}
}

func (u *Usage) add(shard int, all []taken) {
	records := make([]useRecord, 0, len(all))
	for i := range all {
		if all[i].count > 0 {
			records = append(records, all[i].useRecord)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	own := u.nodes[u.self]
	table, left := own[shard].with(records)
	own[shard] = table
	u.dirty[shard] = true
	for i := range all {
		u.gathered.settle(&all[i])
	}
	u.outage.full(left)
}

// putAll puts this node's tables that have changed on the shelf.
func (u *Usage) putAll(ctx context.Context) error {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex // guards errs
		errs error
		next = make(chan int)
	)
	for range usagePuts {
		all.Go(func() {
			for shard := range next {
				if err := u.put(ctx, shard); err != nil {
					mu.Lock()
					errs = errors.Join(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for shard := range usageShards {
		mu.Lock()
		failed := errs != nil
		mu.Unlock()
		if failed {
			break
		}
		next <- shard
	}
	close(next)
	all.Wait()
	return errs
}

func (u *Usage) put(ctx context.Context, shard int) error {
	u.mu.Lock()
	dirty, value := u.dirty[shard], []byte(nil)
	if dirty {
		value = u.nodes[u.self][shard].value()
	}
	u.dirty[shard] = false
	u.mu.Unlock()
	if !dirty {
		return nil
	}
	change, err := u.shelf.Put(ctx, fmt.Sprintf("%s.%03x", u.self, shard), value)
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case err != nil:
		u.dirty[shard] = true
	case change <= u.read: // it was made anew, and lacks what was there
		u.read = 0
		for i, t := range u.nodes[u.self] {
			u.dirty[i] = len(t) > 0 && i != shard
		}
	}
	return err
}

// outage logs that uses can't be kept, once, and that they can be again.
type outage struct {
	logger *slog.Logger
	mu     sync.Mutex // guards what follows
	on     bool
	told   bool // that there is no room
}

func (o *outage) note(ctx context.Context, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil && !o.on && !errors.Is(ctx.Err(), context.Canceled):
		o.on = true
		o.logger.Warn("what tokens were used can't be kept now; checks and changes go on", "error", err)
	case err == nil && o.on:
		o.on = false
		o.logger.Info("what tokens were used is kept again")
	}
}

// full says that the uses of so many tokens found no room.
func (o *outage) full(left int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if left > 0 && !o.told {
		o.told = true
		o.logger.Warn("this node keeps the uses of as many tokens as it can: those of others are not noted", "most", usageShards*maxRecords)
	}
}
