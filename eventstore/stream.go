package eventstore

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// streamName is the one stream of a deployment.
const streamName = "hallpass"

// The stream says in its metadata that it is hallpass's, and in which format.
const (
	formatKey     = "hallpass.format"
	formatVersion = 1
)

// livePrefix is where records are published again for outside subscribers.
const livePrefix = "hp.live."

// wantedStream is the stream's whole configuration. Facts stay for ever: no
// limit but the stated size, at which the stream refuses new records instead
// of losing old ones.
//
// It is not compressed, although that would save three quarters of the space.
// At a restart the server (2.15) cuts a replica's last block back and may
// compress the same block meanwhile, after which that copy can't be read, and
// nothing but a line in its log says so; and a stream on one server with one
// damaged compressed block is deleted at the next start, where an uncompressed
// one loses records, which is noticed.
func wantedStream(replicas int, maxBytes int64, maxLease time.Duration) *server.StreamConfig {
	return &server.StreamConfig{
		Name:               streamName,
		Description:        "hallpass: the facts of an access-token service. Don't delete or purge.",
		Subjects:           []string{recordPrefix + ">", barrierPrefix + ">"},
		Retention:          server.LimitsPolicy,
		MaxConsumers:       -1,
		MaxMsgs:            -1,
		MaxBytes:           maxBytes,
		MaxMsgsPer:         -1,
		MaxMsgSize:         -1,
		Discard:            server.DiscardNew,
		Storage:            server.FileStorage,
		Replicas:           replicas,
		Duplicates:         2 * time.Minute,
		Compression:        server.NoCompression,
		RePublish:          &server.RePublish{Source: recordPrefix + ">", Destination: livePrefix + ">"},
		AllowDirect:        true,
		DenyDelete:         true,
		DenyPurge:          true,
		AllowMsgTTL:        true,
		AllowAtomicPublish: true,
		Metadata: map[string]string{
			formatKey:   strconv.Itoa(formatVersion),
			maxLeaseKey: cmp.Or(maxLease, DefaultMaxLease).String(),
		},
	}
}

// operatorsChoice are the settings that may differ from what this process
// would have made: the stream's own are then in force.
var operatorsChoice = []string{"max_bytes", "num_replicas", "placement", "description", "metadata", "compression"}

// checkStream compares the configuration that the server reports, as JSON,
// with the wanted one, setting by setting; those that this version doesn't
// know included. The error says what to do.
func checkStream(found json.RawMessage) error {
	var have map[string]any
	if err := json.Unmarshal(found, &have); err != nil {
		return fmt.Errorf("eventstore: read the configuration of stream %q: %w", streamName, err)
	}
	if err := checkFormat(have["metadata"]); err != nil {
		return err
	}
	encoded, err := json.Marshal(wantedStream(1, 1, 0))
	if err != nil {
		return fmt.Errorf("eventstore: encode the stream's configuration: %w", err)
	}
	var want map[string]any
	if err := json.Unmarshal(encoded, &want); err != nil {
		return fmt.Errorf("eventstore: encode the stream's configuration: %w", err)
	}
	keys := maps.Clone(have)
	maps.Copy(keys, want)
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		w, h := setting(want[key]), setting(have[key])
		if w != h && !slices.Contains(operatorsChoice, key) {
			differ = append(differ, fmt.Sprintf("%s is %s and should be %s", key, h, w))
		}
	}
	if len(differ) > 0 {
		return fmt.Errorf("eventstore: the stream %q has been changed: %s; set it back (nats stream edit %s), "+
			"or point hallpass at another server: with these settings it could lose or alter records",
			streamName, strings.Join(differ, "; "), streamName)
	}
	return nil
}

// checkFormat tells whether metadata is that of a stream of ours which this
// version can read.
func checkFormat(metadata any) error {
	m, _ := metadata.(map[string]any)
	format, ok := m[formatKey].(string)
	if !ok {
		return fmt.Errorf("eventstore: there is a stream %q that hallpass did not make (no %s in its metadata); "+
			"remove or rename it, or use another NATS account for hallpass", streamName, formatKey)
	}
	switch n, err := strconv.Atoi(format); {
	case err != nil || n < 1:
		return fmt.Errorf("eventstore: the stream %q has the unknown format %q; "+
			"was it made by something else? Use another NATS account for hallpass", streamName, format)
	case n > formatVersion:
		return fmt.Errorf("eventstore: the stream %q has format %d, and this hallpass reads up to %d; "+
			"run the newer hallpass that made it", streamName, n, formatVersion)
	}
	return nil
}

// setting returns a JSON value as text, the same for all the ways to say
// "not set": absent, null, zero, empty.
func setting(v any) string {
	const unset = "not set"
	switch x := v.(type) {
	case nil:
		return unset
	case bool:
		if !x {
			return unset
		}
	case float64:
		if x == 0 {
			return unset
		}
		return strconv.FormatFloat(x, 'f', -1, 64)
	case string:
		if x == "" {
			return unset
		}
	case []any:
		if len(x) == 0 {
			return unset
		}
	case map[string]any:
		if !slices.ContainsFunc(slices.Collect(maps.Values(x)), func(v any) bool { return setting(v) != unset }) {
			return unset
		}
	}
	b, err := json.Marshal(v) // of what was decoded from JSON: can't fail
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
