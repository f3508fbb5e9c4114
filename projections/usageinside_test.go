package projections

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/eventstore"
)

func TestAddressesAreKeptCoarse(t *testing.T) {
	for in, want := range map[string]string{
		"203.0.113.255": "203.0.113.0/24", "::ffff:203.0.113.1": "203.0.113.0/24", "255.255.255.255": "255.255.255.0/24", "0.0.0.0": "0.0.0.0/24",
		"2001:db8:ffff:ffff::1": "2001:db8:ffff::/48", "ffff:ffff:ffff:ffff::": "ffff:ffff:ffff::/48", "::": "::/48", "fe80::1%eth0": "fe80::/48",
	} {
		if got := unpack(pack(netip.MustParseAddr(in))).String(); got != want {
			t.Errorf("%s is kept as %s, want %s", in, got, want)
		}
	}
	if p := unpack(pack(netip.Addr{})); p.IsValid() {
		t.Errorf("no address is kept as %s", p)
	}
}

func TestAUseAllocatesNothing(t *testing.T) {
	f := benchFold(t)
	a, id := benchIDs(1)
	secret := benchSecret(1, 1)
	if err := f.apply([]eventstore.Record{benchRecord(f.applied+1, a, id, benchIssued(1, secret.Digest()))}); err != nil {
		t.Fatal(err)
	}
	f.index.setGate(gateOpen)
	u := newUsage(&Config{UsageEvery: time.Hour, Node: NodeConfig{Name: "n1"}}, emptyLog(), f.directory, f.index)
	need := domain.Need{Resource: domain.Resource(benchResource(1)), Action: "AccessDeviceResources", Level: domain.LevelWrite}
	from := netip.MustParseAddr("203.0.113.7")
	if got := testing.AllocsPerRun(1000, func() { _, _ = f.index.CheckFrom(secret, need, from) }); got > 0 {
		t.Errorf("a check that is gathered allocates %v times", got)
	}
	token, _ := f.directory.Token(a, id)
	if n := u.Of(token).Count; n != 1001 {
		t.Errorf("%d uses of 1001 were counted", n)
	}
}

// A table holds what a map would, in order, through its value.
func TestTheTableOfUsesIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[usageKey]useRecord{}
		var table useTable
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			var more []useRecord
			for range rapid.IntRange(0, 20).Draw(t, "uses") {
				r := useRecord{
					key: usageKey{11: byte(rapid.IntRange(0, 12).Draw(t, "key"))}, gen: rapid.Uint32Range(1, 3).Draw(t, "gen"),
					last: rapid.Int64Range(1, 1<<39).Draw(t, "last"), from: rapid.Uint64().Draw(t, "from"), count: rapid.Uint64Range(1, 9).Draw(t, "count"),
				}
				more = append(more, r)
				was := want[r.key]
				switch {
				case was.gen > r.gen:
				case was.gen < r.gen:
					want[r.key] = r
				default:
					if r.last >= was.last {
						was.last, was.from = r.last, r.from
					}
					was.count += r.count
					want[r.key] = was
				}
			}
			table, _ = table.with(more)
			read, ok := readUses(table.value())
			if !ok || !bytes.Equal(read, table) {
				t.Fatal("the value can't be read")
			}
			table = read
		}
		if table.len() != len(want) {
			t.Fatalf("%d records, want %d", table.len(), len(want))
		}
		for k, w := range want {
			if got, ok := table.find(&k); !ok || got != w {
				t.Fatalf("%x is %+v, want %+v", k, got, w)
			}
		}
	})
}

func TestAFullTableGoesOnCountingWhatItHas(t *testing.T) {
	var more []useRecord
	key := func(i int) usageKey { return usageKey{byte(i >> 16), byte(i >> 8), byte(i)} }
	for i := range maxRecords + 10 {
		more = append(more, useRecord{key: key(i), gen: 1, last: 1, count: 1})
	}
	table, left := useTable(nil).with(more)
	if left != 10 || len(table.value()) > eventstore.MaxValue {
		t.Errorf("%d tokens found no room in %d bytes", left, len(table.value()))
	}
	table, left = table.with([]useRecord{{key: key(5), gen: 1, last: 2, count: 1}, {key: key(maxRecords + 20), gen: 1, last: 1, count: 1}})
	k := key(5)
	if r, ok := table.find(&k); !ok || r.count != 2 || left != 1 || len(table.value()) > eventstore.MaxValue {
		t.Errorf("a full table counts %+v, %d left", r, left)
	}
}

func TestAValueThatIsNoTableIsRefused(t *testing.T) {
	table, _ := useTable(nil).with([]useRecord{{key: usageKey{1}, gen: 1, count: 1}, {key: usageKey{2}, gen: 1, count: 1}})
	good := table.value()
	disordered := append([]byte{usageVersion}, append(bytes.Clone(good[1+recordSize:]), good[1:1+recordSize]...)...)
	for name, bad := range map[string][]byte{
		"empty": {}, "another version": append([]byte{2}, good[1:]...), "cut off": good[:len(good)-1], "disordered": disordered,
	} {
		if _, ok := readUses(bad); ok {
			t.Errorf("a value that is %s was read", name)
		}
	}
	if _, ok := readUses([]byte{usageVersion}); !ok {
		t.Error("an empty table can't be read")
	}
}
