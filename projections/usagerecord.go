package projections

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sort"

	"hallpass/domain"
	"hallpass/eventstore"
)

// What a node keeps of uses is cut into shards by a hash of the token, and each
// shard is one value on the log's shelf, under <node>.<shard in three hex
// digits>. A value is a version byte and records of one length, in order of
// their keys, so that it can be searched as it came: 37 bytes a token and node
// on the shelf and in memory, no pointers. 10 million tokens used at one node
// make values of some 720 kB.
const (
	usageShards  = 512
	usageVersion = 1
	recordSize   = keySize + 4 + 5 + 8 + 8
	keySize      = 12

	// maxRecords a shard may have: tokens that come after are not noted by this
	// node. That is 13.8 million tokens a node name.
	maxRecords = (eventstore.MaxValue - 1) / recordSize
)

// usageKey is a hash of (account, token). 96 bits are enough for tokens not to
// meet by chance; whoever makes two of them meet sees the uses of both as one.
type usageKey [keySize]byte

func keyOf(account domain.AccountID, token domain.TokenID) (k usageKey) {
	var buf [129]byte // of the longest ids
	b := append(append(append(buf[:0], account...), '/'), token...)
	sum := sha256.Sum256(b)
	copy(k[:], sum[:])
	return k
}

func (k *usageKey) shard() int { return int(binary.BigEndian.Uint16(k[:])) % usageShards }

// useRecord is the uses of one generation of a token at one node.
type useRecord struct {
	key   usageKey
	gen   uint32
	last  int64  // in seconds since 1970
	from  uint64 // packed
	count uint64
}

// encoded appends r: key, generation, seconds (40 bits), address, count.
func (r *useRecord) encoded(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, r.key[:]...), r.gen)
	b = append(b, byte(r.last>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(r.last))
	b = binary.BigEndian.AppendUint64(b, r.from)
	return binary.BigEndian.AppendUint64(b, r.count)
}

func decodedUse(b []byte) (r useRecord) {
	copy(r.key[:], b)
	b = b[keySize:]
	r.gen = binary.BigEndian.Uint32(b)
	r.last = int64(b[4])<<32 | int64(binary.BigEndian.Uint32(b[5:]))
	r.from = binary.BigEndian.Uint64(b[9:])
	r.count = binary.BigEndian.Uint64(b[17:])
	return r
}

// useTable is the records of a shard, as a value on the shelf has them without
// the version.
type useTable []byte

func (t useTable) len() int           { return len(t) / recordSize }
func (t useTable) at(i int) useRecord { return decodedUse(t[i*recordSize:]) }
func (t useTable) key(i int) []byte   { return t[i*recordSize:][:keySize] }

// readUses reads a value; false if it is of another version, or broken.
func readUses(value []byte) (useTable, bool) {
	if len(value) == 0 || value[0] != usageVersion || (len(value)-1)%recordSize != 0 {
		return nil, false
	}
	t := useTable(value[1:])
	for i := 1; i < t.len(); i++ {
		if bytes.Compare(t.key(i-1), t.key(i)) >= 0 {
			return nil, false
		}
	}
	return t, true
}

// value returns t as it is put on the shelf.
func (t useTable) value() []byte { return append([]byte{usageVersion}, t...) }

// find returns the record of k; false if there is none.
func (t useTable) find(k *usageKey) (useRecord, bool) {
	n := t.len()
	i := sort.Search(n, func(i int) bool { return bytes.Compare(t.key(i), k[:]) >= 0 })
	if i == n || !bytes.Equal(t.key(i), k[:]) {
		return useRecord{}, false
	}
	return t.at(i), true
}

// with returns t and further uses together, and how many tokens found no room.
// It orders them.
func (t useTable) with(more []useRecord) (out useTable, left int) {
	slices.SortStableFunc(more, func(a, b useRecord) int { return bytes.Compare(a.key[:], b.key[:]) })
	out = make(useTable, 0, len(t)+len(more)*recordSize)
	room := maxRecords - t.len()
	i := 0
	for j := 0; j < len(more); {
		r := more[j]
		for j++; j < len(more) && more[j].key == r.key; j++ {
			r.add(&more[j])
		}
		from := i
		for i < t.len() && bytes.Compare(t.key(i), r.key[:]) < 0 {
			i++
		}
		out = append(out, t[from*recordSize:i*recordSize]...)
		switch {
		case i < t.len() && bytes.Equal(t.key(i), r.key[:]):
			was := t.at(i)
			was.add(&r)
			out = was.encoded(out)
			i++
		case room > 0:
			out = r.encoded(out)
			room--
		default:
			left++
		}
	}
	return append(out, t[i*recordSize:]...), left
}

// add takes o, uses of the same token, into r: those of the newer generation
// alone, if they are of two.
func (r *useRecord) add(o *useRecord) {
	switch {
	case o.gen < r.gen:
		return
	case o.gen > r.gen:
		*r = *o
		return
	}
	r.count += o.count
	if o.last >= r.last {
		r.last, r.from = o.last, o.from
	}
}

func (t useTable) records() []useRecord {
	all := make([]useRecord, t.len())
	for i := range all {
		all[i] = t.at(i)
	}
	return all
}
