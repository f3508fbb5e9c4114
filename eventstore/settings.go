package eventstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// DefaultMaxLease is the longest lease of a stream that doesn't state one.
const DefaultMaxLease = 12 * time.Second

// maxLeaseKey holds the longest lease in the stream's metadata, as a Go
// duration.
const maxLeaseKey = "hallpass.max-lease"

// settingsFresh is how often Settings is asked for anew, at least.
const settingsFresh = 15 * time.Second

// Settings are what a log says of itself.
type Settings struct {
	Stream   [16]byte      // the id in the genesis
	Replicas int           // that keep the stream, as its configuration says now
	MaxLease time.Duration // the longest permitted lease, stale limit included
}

// BarrierTTL is how long barriers stay in the stream.
func (s Settings) BarrierTTL() time.Duration { return max(time.Minute, 5*s.MaxLease) }

// knownSettings are Settings with the configuration that they were read from.
type knownSettings struct {
	Settings
	config json.RawMessage
}

// readSettings reads the settings from a stream's configuration.
func readSettings(config json.RawMessage) (Settings, error) {
	var c struct {
		Replicas int               `json:"num_replicas"`
		Metadata map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return Settings{}, fmt.Errorf("eventstore: read the configuration of stream %q: %w", streamName, err)
	}
	s := Settings{Replicas: c.Replicas, MaxLease: DefaultMaxLease}
	if text, ok := c.Metadata[maxLeaseKey]; ok {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return s, fmt.Errorf("eventstore: the metadata of stream %q has %s %q, which is no length of time (12s); "+
				"set it right with nats stream edit %s", streamName, maxLeaseKey, text, streamName)
		}
		s.MaxLease = d
	}
	return s, nil
}

// Settings implements Log. They are read anew with each answer about the
// stream, and every 15 s.
func (l *JetStream) Settings() Settings {
	s := l.settings.Load().Settings
	s.Stream = l.stream
	return s
}

// learn takes the settings from a stream's configuration, if it is another one
// than last time. A configuration that can't be used leaves the old settings:
// it is told, and refused at the next start.
func (l *JetStream) learn(config json.RawMessage) {
	known := l.settings.Load()
	if known != nil && bytes.Equal(known.config, config) {
		return
	}
	s, err := readSettings(config)
	if err == nil {
		err = checkStream(config)
	}
	if err != nil {
		l.logger.Error("the stream's configuration was changed", "error", err)
		s = known.Settings
	}
	l.settings.Store(&knownSettings{s, bytes.Clone(config)})
}

// keepSettings refreshes the settings until ctx ends.
func (l *JetStream) keepSettings(ctx context.Context) {
	tick := time.NewTicker(settingsFresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// An error is a link that is down, which others tell of.
		_, _ = l.info(ctx)
	}
}
