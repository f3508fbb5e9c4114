package domain_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"hallpass/domain"
)

// pb and pv are protobuf fields with bytes and with a number.
func pb(n protowire.Number, s string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), s))
}

func pv(n protowire.Number, v uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v))
}

func TestDecodeRefuses(t *testing.T) {
	const id = "0123456789abcdef"
	const digest = id + id
	head := func(typ string) string { return pb(1, typ) + pb(2, id) + pb(7, "acme") }
	account := func(typ, body string) string { return head(typ) + pb(9, body) }
	tokens := func(typ, body string) string { return head(typ) + pb(8, "t") + pb(9, body) }
	union := pb(10, pv(1, 1))
	issued := func(permissions string) string {
		return tokens("token.issued.1", pv(6, 1)+pb(10, permissions)+pb(11, digest))
	}
	edited := func(body string) string { return tokens("token.edited.1", body) }
	opened := head("account.opened.1")
	resumed := head("account.resumed.1")
	ofStream := func(typ, body string) string { return pb(1, typ) + pb(2, id) + pb(7, "root") + pb(9, body) }
	joined := func(body string) string { return ofStream("node.joined.1", body) }
	left := func(body string) string { return ofStream("node.left.1", body) }
	checkpoint := func(seen string) string { return ofStream("checkpoint.1", pv(1, 7)+pb(2, digest)+seen) }
	byActor := pb(4, pb(1, "root")+pb(2, "t"))
	node, zeroes := pb(1, "n1")+pb(2, id), strings.Repeat("\x00", 32)
	sighting := pb(3, pb(1, "n1")+pb(2, id))
	long := strings.Repeat("a", 65)
	issued2 := func(rest string) string {
		return tokens("token.issued.2", pv(6, 1)+pb(10, pv(1, 1))+pb(11, digest)+rest)
	}
	rotated2 := func(rest string) string { return tokens("token.rotated.2", pb(1, digest)+rest) }
	limited := func(conditions string) string { return tokens("token.edited.2", pb(9, conditions)) }
	window := func(from, to uint64, zone string) string {
		return limited(pb(3, pv(1, from)+pv(2, to)+pb(3, zone)))
	}
	unknownZone := pb(3, pv(1, 60)+pv(2, 61)+pb(3, "No/Where"))
	ten, ten8, ten9, mapped := "\x0a\x00\x00\x00", "\x0a\x00\x00\x00\x08", "\x0a\x00\x00\x00\x09", strings.Repeat("\x00", 10)+"\xff\xff\x0a\x00\x00\x00"
	sealed, once := pb(1, "k1")+pb(2, "box"), pb(1, id)+pb(2, id)
	defined := func(body string) string { return ofStream("type.defined.1", body) }

	for name, ok := range map[string]string{
		"opened":                           account("account.opened.1", pb(1, "Acme")),
		"resumed":                          resumed,
		"issued":                           issued(pv(1, 1) + pb(2, pb(1, "/")+pb(2, "*"))),
		"edited":                           edited(pb(1, "") + pv(4, 0)),
		"joined":                           joined(node + pb(3, digest) + pv(4, 1)),
		"left":                             left(node),
		"checkpoint of 64 sightings":       checkpoint(strings.Repeat(sighting, 64)),
		"checkpoint with a long name":      checkpoint(pb(3, pb(1, strings.Repeat("a", 255))+pb(2, id))),
		"checkpoint of an all-zero root":   ofStream("checkpoint.1", pv(1, 1)+pb(2, zeroes)),
		"checkpoint seen at a lone server": checkpoint(pb(3, pb(2, id))),
		"derived":                          issued2(pb(12, pb(1, "p")+pv(2, 1))),
		"made at a door":                   issued2(pb(15, pb(1, "crafter"))),
		"in order":                         limited(pb(1, ten8) + pb(1, ten9) + pb(2, ten8)),
		"no conditions any more":           limited(""),
		"a zone that is not known here":    limited(unknownZone),
		"sealed box of the greatest size":  rotated2(pb(4, pb(1, "k1")+pb(2, strings.Repeat("b", domain.MaxSealed)))),
		"type":                             defined(pb(1, "robot") + pb(3, pb(1, "Wave")+pv(2, 3))),
	} {
		if _, err := domain.Decode([]byte(ok)); err != nil {
			t.Errorf("%s, which is right: %v", name, err)
		}
	}

	for _, c := range []struct{ name, data, want string }{
		{"nothing", "", "Fact field 2 is missing"},
		{"too long", head("account.opened.1") + pb(9, pb(1, strings.Repeat("a", domain.MaxEventSize))), "longer than"},
		{"no type", pb(2, id) + pb(7, "acme"), "Fact field 1 is a type that this version does not know"},
		{"unknown type", head("device.born.1"), "device.born.1: Fact field 1 is a type that"},
		{"unknown version", head("token.issued.3") + pb(8, "t"), "token.issued.3: Fact field 1 is a type that"},
		{"a type that is none", head("hp_secret\n"), "an event without a proper type: "},
		{"short id", pb(1, "account.resumed.1") + pb(2, id[1:]) + pb(7, "acme"), "Fact field 2 does not have 16 bytes"},
		{"long id", pb(1, "account.resumed.1") + pb(2, id+"0") + pb(7, "acme"), "Fact field 2 does not have 16 bytes"},
		{"no account", pb(1, "account.resumed.1") + pb(2, id), "Fact field 7 is missing"},
		{"bad account", pb(1, "account.resumed.1") + pb(2, id) + pb(7, "a.b"), "Fact field 7 holds bytes that no id has"},
		{"long account", pb(1, "account.resumed.1") + pb(2, id) + pb(7, long), "Fact field 7 is too long for an id"},
		{"bad token", head("token.enabled.1") + pb(8, "a b"), "Fact field 8 holds bytes that no id has"},
		{"token event without token", head("token.enabled.1"), "Fact field 8 names a token where"},
		{"account event with token", resumed + pb(8, "t"), "Fact field 8 names a token where"},
		{"unknown field", resumed + pb(10, "x"), "Fact field 10 is unknown"},
		{"unknown high field", resumed + pb(16, "x"), "Fact field 16 or above is unknown"},
		{"field 0", resumed + "\x02\x00", "Fact field 0 is unknown"},
		{"repeated", resumed + pb(7, "acme"), "Fact field 7 is repeated, out of order"},
		{"required and repeated", pb(1, "account.resumed.1") + head("account.resumed.1"), "Fact field 2 is missing where there is field"},
		{"out of order", resumed + pv(5, 1), "Fact field 5 is repeated, out of order"},
		{"required and out of order", pb(1, "account.resumed.1") + pb(7, "acme") + pb(2, id), "Fact field 2 is missing where there is field"},
		{"wrong wire type", pb(1, "account.resumed.1") + pb(2, id) + pb(3, "x") + pb(7, "acme"), "Fact field 7 is missing where there is field 3 with wire type"},
		{"group", pb(1, "account.resumed.1") + pb(2, id) + "\x1b\x1c" + pb(7, "acme"), "Fact field 7 is missing where there is field 3 with wire type"},
		{"zero time", pb(1, "account.resumed.1") + pb(2, id) + pv(3, 0) + pb(7, "acme"), "Fact field 3 is there although it is zero"},
		{"long varint", pb(1, "account.resumed.1") + pb(2, id) + "\x18\x81\x00" + pb(7, "acme"), "Fact field 3 has a number in more bytes than it needs"},
		{"varint over 64 bits", pb(1, "account.resumed.1") + pb(2, id) + "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02" + pb(7, "acme"), "Fact field 3 has a number of more than 64 bits"},
		{"endless varint", pb(1, "account.resumed.1") + pb(2, id) + "\x18" + strings.Repeat("\xff", 12), "Fact field 3 has a number without an end"},
		{"cut varint", pb(1, "account.resumed.1") + pb(2, id) + "\x18\xff", "Fact field 3 has a number without an end"},
		{"key alone", pb(1, "account.resumed.1") + pb(2, id) + "\x18", "Fact field 3 has a number without an end"},
		{"long length", pb(1, "account.resumed.1") + pb(2, id) + "\x3a\x81\x00a", "Fact field 7 has a number in more bytes than it needs"},
		{"cut string", pb(1, "account.resumed.1") + pb(2, id) + "\x3a\x05acm", "Fact field 7 is cut short"},
		{"huge length", pb(1, "account.resumed.1") + pb(2, id) + "\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01acm", "Fact field 7 is cut short"},
		{"empty request", pb(1, "account.resumed.1") + pb(2, id) + pb(6, "") + pb(7, "acme"), "Fact field 6 is there although it is empty"},
		{"request not UTF-8", pb(1, "account.resumed.1") + pb(2, id) + pb(6, "\xff") + pb(7, "acme"), "Fact field 6 is not valid UTF-8"},
		{"empty body", resumed + pb(9, ""), "Fact field 9 is there although it is empty"},
		{"body of an event without fields", resumed + pb(9, "x"), "account.resumed.1: AccountResumed1 field 15 is unknown"},
		{"trailing byte", resumed + "\x00", "Fact field 0 is unknown"},

		{"empty actor", pb(1, "account.resumed.1") + pb(2, id) + pb(4, "") + pb(7, "acme"), "Actor field 1 is missing"},
		{"actor without token", pb(1, "account.resumed.1") + pb(2, id) + pb(4, pb(1, "a")) + pb(7, "acme"), "Actor field 2 is missing"},
		{"actor with a bad id", pb(1, "account.resumed.1") + pb(2, id) + pb(4, pb(1, "ä")+pb(2, "b")) + pb(7, "acme"), "Actor field 1 holds bytes that no id has"},
		{"actor with more", pb(1, "account.resumed.1") + pb(2, id) + pb(4, pb(1, "a")+pb(2, "b")+pb(4, "c")) + pb(7, "acme"), "Actor field 4 is unknown"},

		{"empty name", opened + pb(9, pb(1, "")), "AccountOpened1 field 1 is there although it is empty"},
		{"name not UTF-8", opened + pb(9, pb(1, "a\xc0\xaf")), "AccountOpened1 field 1 is not valid UTF-8"},
		{"genesis without stream", head("genesis.1"), "Genesis1 field 1 is missing"},
		{"no reason", head("account.closed.1"), "AccountClosed1 field 1 is missing"},
		{"unknown reason", account("account.closed.1", pb(1, pb(1, "bored"))), "Reason field 1 is a value that"},
		{"reason without code", account("account.suspended.1", pb(1, pb(2, "text"))), "Reason field 1 is a value that"},
		{"empty reason", tokens("token.revoked.1", pb(1, "")), "Reason field 1 is a value that"},

		{"no kind", tokens("token.issued.1", union+pb(11, digest)), "TokenIssued1 field 6 is missing"},
		{"kind 0", tokens("token.issued.1", pv(6, 0)+union+pb(11, digest)), "TokenIssued1 field 6 is there although it is zero"},
		{"unknown kind", tokens("token.issued.1", pv(6, 2)+union+pb(11, digest)), "TokenIssued1 field 6 is a value that"},
		{"kind that is 1 modulo 256", tokens("token.issued.1", pv(6, 257)+union+pb(11, digest)), "TokenIssued1 field 6 is a value that"},
		{"flag of 0", tokens("token.issued.1", pv(5, 0)+pv(6, 1)+union+pb(11, digest)), "TokenIssued1 field 5 is there although it is zero"},
		{"flag of 2", tokens("token.issued.1", pv(5, 2)+pv(6, 1)+union+pb(11, digest)), "TokenIssued1 field 5 is neither true nor false"},
		{"no permissions", tokens("token.issued.1", pv(6, 1)+pb(11, digest)), "TokenIssued1 field 10 is missing"},
		{"no digest", tokens("token.issued.1", pv(6, 1)+union), "TokenIssued1 field 11 is missing"},
		{"short digest", tokens("token.rotated.1", pb(1, digest[1:])), "TokenRotated1 field 1 does not have 32 bytes"},
		{"unknown field in an event", tokens("token.rotated.1", pb(1, digest)+pv(3, 1)), "token.rotated.1: TokenRotated1 field 3 is unknown"},
		{"no mode", issued(""), "Permissions field 1 is missing"},
		{"unknown mode", issued(pv(1, 3)), "Permissions field 1 is a value that"},
		{"deny before allow", issued(pv(1, 1) + pb(3, pb(1, "/")) + pb(2, pb(1, "/"))), "Permissions field 2 is repeated, out of order"},
		{"unknown field in permissions", issued(pv(1, 1) + pb(4, "")), "Permissions field 4 is unknown"},
		{"empty grant", issued(pv(1, 1) + pb(2, "")), "Grant field 1 is no path"},
		{"grant without slash", issued(pv(1, 1) + pb(2, pb(1, "device"))), "Grant field 1 is no path"},
		{"empty action", issued(pv(1, 1) + pb(2, pb(1, "/")+pb(2, ""))), "Grant field 2 is there although it is empty"},
		{"second action not UTF-8", issued(pv(1, 1) + pb(2, pb(1, "/")+pb(2, "a")+pb(2, "\x80"))), "Grant field 2 is not valid UTF-8"},
		{"cut action", issued(pv(1, 1) + pb(2, pb(1, "/")+pb(2, "a")+"\x12\x05a")), "Grant field 2 is cut short"},
		{"unknown field in a grant", issued(pv(1, 1) + pb(2, pb(1, "/")+pv(3, 1)+pv(4, 1))), "Grant field 4 is unknown"},

		{"name there as a number", edited(pv(1, 1)), "TokenEdited1 field 1 is repeated, out of order, or of"},
		{"name not UTF-8 in an edit", edited(pb(1, "\xed\xa0\x80")), "TokenEdited1 field 1 is not valid UTF-8"},
		{"enabled of 2 in an edit", edited(pv(4, 2)), "TokenEdited1 field 4 is neither true nor false"},
		{"name twice in an edit", edited(pb(1, "a") + pb(1, "b")), "TokenEdited1 field 1 is repeated, out of order"},
		{"long varint in an edit", edited("\x28\x80\x00"), "TokenEdited1 field 5 has a number in more bytes than it needs"},
		{"empty tag", edited(pb(3, pb(1, ""))), "keys that are empty, repeated or out of order"},
		{"tag twice", edited(pb(3, pb(1, pb(1, "a"))+pb(1, pb(1, "a")+pb(2, "x")))), "keys that are empty, repeated or out of order"},
		{"tags out of order", edited(pb(3, pb(1, pb(1, "b"))+pb(1, pb(1, "a")))), "keys that are empty, repeated or out of order"},
		{"unknown field in a tag", edited(pb(3, pb(1, pb(1, "a")+pb(3, "x")))), "Tag field 3 is unknown"},
		{"unknown field among tags", edited(pb(3, pb(1, pb(1, "a"))+pb(2, "x"))), "TagSet field 2 is unknown"},
		{"cut tag", edited(pb(3, "\x0a\x05a")), "TagSet field 1 is cut short"},

		{"opened as any", account("account.opened.2", pb(1, "Acme")+pv(2, 1)), "account.opened.2: an older version of it could say the same"},
		{"opened without managers", account("account.opened.2", pb(1, "Acme")), "AccountOpened2 field 2 is missing"},
		{"opened with unknown managers", account("account.opened.2", pv(2, 3)), "AccountOpened2 field 2 is a value that"},
		{"old opened with managers", account("account.opened.1", pb(1, "Acme")+pv(2, 2)), "AccountOpened1 field 2 is unknown"},
		{"edited with unknown managers", account("account.edited.1", pv(2, 3)), "AccountEdited1 field 2 is a value that"},
		{"edited with managers 0", account("account.edited.1", pv(2, 0)), "AccountEdited1 field 2 is there although it is zero"},
		{"edited with more", account("account.edited.1", pv(2, 1)+pv(3, 1)), "AccountEdited1 field 3 is unknown"},
		{"edited account twice", account("account.edited.1", pb(1, "a")+pb(1, "b")), "AccountEdited1 field 2 is missing where there is field 1"},

		{"new issue of what the old one says", issued2(""), "token.issued.2: an older version of it could say the same"},
		{"new edit of what the old one says", tokens("token.edited.2", pb(1, "x")), "TokenEdited2 field 9 is missing"},
		{"new rotation of what the old one says", rotated2(""), "token.rotated.2: an older version of it could say the same"},
		{"new revoke of what the old one says", tokens("token.revoked.2", pb(1, pb(1, "policy"))), "TokenRevoked2 field 2 is missing"},
		{"bulk 0", tokens("token.revoked.2", pb(1, pb(1, "policy"))+pb(2, zeroes[:16])), "TokenRevoked2 field 2 is zero"},
		{"old revoke with a bulk", tokens("token.revoked.1", pb(1, pb(1, "policy"))+pb(2, id)), "TokenRevoked1 field 2 is unknown"},
		{"old issue with a parent", tokens("token.issued.1", pv(6, 1)+union+pb(11, digest)+pb(12, pb(1, "p"))), "TokenIssued1 field 12 is unknown"},
		{"old edit with conditions", edited(pb(9, "")), "TokenEdited1 field 9 is unknown"},
		{"old rotation that retires", tokens("token.rotated.1", pb(1, digest)+pv(3, 1)), "TokenRotated1 field 3 is unknown"},
		{"unknown kind in the new issue", tokens("token.issued.2", pv(6, 3)+union+pb(11, digest)), "TokenIssued2 field 6 is a value that"},
		{"parent without id", issued2(pb(12, pv(2, 1))), "Link field 1 is missing"},
		{"parent with a bad id", issued2(pb(12, pb(1, "a/b"))), "Link field 1 holds bytes that no id has"},
		{"parent with more", issued2(pb(12, pb(1, "p")+pv(3, 1))), "Link field 3 is unknown"},
		{"empty conditions", issued2(pb(13, "")), "TokenIssued2 field 13 is there although it is empty"},
		{"empty provenance", issued2(pb(15, "")), "Provenance field 1 and all others are missing"},
		{"provenance with more", issued2(pb(15, pb(1, "x")+pv(5, 1))), "Provenance field 5 is unknown"},
		{"wider of 2", issued2(pb(15, pv(4, 2))), "Provenance field 4 is neither true nor false"},
		{"bad origin", issued2(pb(15, pb(1, "a b"))), "Provenance field 1 holds bytes that no id has"},
		{"long origin", issued2(pb(15, pb(1, long))), "Provenance field 1 is too long"},
		{"imported of 2", issued2(pb(15, pv(2, 2))), "Provenance field 2 is neither true nor false"},
		{"once without key", issued2(pb(15, pb(3, pb(2, id)))), "Once field 1 is missing"},
		{"once without request", rotated2(pb(5, pb(1, id))), "Once field 2 is missing"},
		{"once with a short key", rotated2(pb(5, pb(1, id[1:])+pb(2, id))), "Once field 1 does not have 16 bytes"},
		{"once with more", rotated2(pb(5, once+pb(3, "x"))), "Once field 3 is unknown"},
		{"sealed without key", rotated2(pb(4, pb(2, "box"))), "Sealed field 1 is missing"},
		{"sealed with a bad key", rotated2(pb(4, pb(1, "k.1")+pb(2, "box"))), "Sealed field 1 holds bytes that no id has"},
		{"sealed without a box", rotated2(pb(4, pb(1, "k1"))), "Sealed field 2 is missing"},
		{"sealed in too much", issued2(pb(14, pb(1, "k1")+pb(2, strings.Repeat("b", domain.MaxSealed+1)))), "Sealed field 2 is too long"},
		{"sealed with more", rotated2(pb(4, sealed+pb(3, "x"))), "Sealed field 3 is unknown"},
		{"retires of 0", rotated2(pv(3, 0)), "TokenRotated2 field 3 is there although it is zero"},
		{"resealed without a box", tokens("token.resealed.1", pb(1, digest)), "TokenResealed1 field 2 is missing"},
		{"resealed without digest", tokens("token.resealed.1", pb(2, sealed)), "TokenResealed1 field 1 is missing"},

		{"prefix of 3 bytes", limited(pb(1, ten8[:3])), "is no prefix of addresses"},
		{"prefix without bits", limited(pb(1, ten)), "is no prefix of addresses"},
		{"prefix of 33 bits", limited(pb(1, ten+"\x21")), "not in their plain form"},
		{"prefix of 129 bits", limited(pb(2, strings.Repeat("\x20", 16)+"\x81")), "not in their plain form"},
		{"prefix of 200 bits", limited(pb(2, ten+"\xc8")), "not in their plain form"},
		{"unmasked prefix", limited(pb(1, "\x0a\x00\x00\x01\x08")), "not in their plain form"},
		{"unmasked prefix of IPv6", limited(pb(1, strings.Repeat("\x20", 16)+"\x40")), "not in their plain form"},
		{"mapped prefix", limited(pb(1, mapped+"\x68")), "not in their plain form"},
		{"mapped address", limited(pb(2, mapped+"\x80")), "not in their plain form"},
		{"prefixes out of order", limited(pb(1, ten9) + pb(1, ten8)), "out of order"},
		{"IPv6 before IPv4", limited(pb(1, strings.Repeat("\x00", 17)) + pb(1, ten8)), "out of order"},
		{"prefix twice", limited(pb(1, ten8) + pb(1, ten8)), "repeated"},
		{"deny before allow in conditions", limited(pb(2, ten8) + pb(1, ten8)), "Conditions field 1 is repeated, out of order"},
		{"conditions with more", limited(pb(1, ten8) + pb(4, "x")), "Conditions field 4 is unknown"},
		{"window of nothing", window(60, 60, "UTC"), "are no part of a day"},
		{"window from 24:00", window(1440, 60, "UTC"), "are no part of a day"},
		{"window until 24:00", window(60, 1440, "UTC"), "are no part of a day"},
		{"window from 65536+60", window(65596, 61, "UTC"), "are no part of a day"},
		{"empty window", limited(pb(3, "")), "are no part of a day"},
		{"window without zone", limited(pb(3, pv(1, 60)+pv(2, 61))), "Window field 3 is no time zone"},
		{"window with a long zone", window(60, 61, long), "Window field 3 is no time zone"},
		{"window with a zone not in UTF-8", window(60, 61, "\xff"), "Window field 3 is not valid UTF-8"},
		{"window with more", limited(pb(3, pv(1, 60)+pb(3, "UTC")+pv(4, 1))), "Window field 4 is unknown"},

		{"notice 0", tokens("token.expiring.1", pv(1, 0)), "TokenExpiring1 field 1 is there although it is zero"},
		{"no notice", tokens("token.expiring.1", ""), "Fact field 9 is there although it is empty"},
		{"notice 5", tokens("token.expiring.1", pv(1, 5)), "TokenExpiring1 field 1 is a value that"},
		{"retired by a token", pb(1, "token.retired.1") + pb(2, id) + byActor + pb(7, "root") + pb(8, "t") + pb(9, pb(1, digest)), "Fact field 4 names an actor where there is none"},
		{"resealed by a token", pb(1, "token.resealed.1") + pb(2, id) + byActor + pb(7, "root") + pb(8, "t") + pb(9, pb(1, digest)+pb(2, sealed)), "Fact field 4 names an actor where there is none"},
		{"expiring by a token", pb(1, "token.expiring.1") + pb(2, id) + byActor + pb(7, "root") + pb(8, "t") + pb(9, pv(1, 1)), "Fact field 4 names an actor where there is none"},

		{"type without name", defined(pb(2, "x")), "TypeDefined1 field 1 is missing"},
		{"type with a path as name", defined(pb(1, "a/b")), "TypeDefined1 field 1 holds bytes that no id has"},
		{"action without name", defined(pb(1, "robot") + pb(3, pv(2, 3))), "ActionDef field 1 is missing"},
		{"action without level", defined(pb(1, "robot") + pb(3, pb(1, "Wave"))), "ActionDef field 2 is missing"},
		{"action of an unknown level", defined(pb(1, "robot") + pb(3, pb(1, "Wave")+pv(2, 4))), "ActionDef field 2 is a value that"},
		{"type with more", defined(pb(1, "robot") + pb(4, "x")), "TypeDefined1 field 4 is unknown"},
		{"type of an account", account("type.defined.1", pb(1, "robot")), "Fact field 7 is not the account root"},
		{"removed in an account", account("type.removed.1", pb(1, "robot")), "Fact field 7 is not the account root"},
		{"removed without name", ofStream("type.removed.1", ""), "is there although it is empty"},
		{"type about a token", pb(1, "type.removed.1") + pb(2, id) + pb(7, "root") + pb(8, "t") + pb(9, pb(1, "robot")), "Fact field 8 names a token where"},

		{"node without name", left(pb(2, id)), "NodeLeft1 field 1 is missing"},
		{"node named like the genesis", left(pb(1, "genesis") + pb(2, id)), "NodeLeft1 field 1 is a name that no node has"},
		{"joined as the genesis", joined(pb(1, "genesis") + pb(2, id) + pb(3, digest)), "NodeJoined1 field 1 is a name that no node has"},
		{"node with a dot", left(pb(1, "n.1") + pb(2, id)), "NodeLeft1 field 1 holds bytes that no id has"},
		{"node with a long name", left(pb(1, long) + pb(2, id)), "NodeLeft1 field 1 is too long for an id"},
		{"no incarnation", left(pb(1, "n1")), "NodeLeft1 field 2 is missing"},
		{"short incarnation", left(pb(1, "n1") + pb(2, id[1:])), "NodeLeft1 field 2 does not have 16 bytes"},
		{"zero incarnation", left(pb(1, "n1") + pb(2, zeroes[:16])), "NodeLeft1 field 2 is zero"},
		{"left with more", left(node + pb(3, digest)), "NodeLeft1 field 3 is unknown"},
		{"joined with a zero incarnation", joined(pb(1, "n1") + pb(2, zeroes[:16]) + pb(3, digest)), "NodeJoined1 field 2 is zero"},
		{"no key", joined(node), "NodeJoined1 field 3 is missing"},
		{"long key", joined(node + pb(3, digest+"0")), "NodeJoined1 field 3 does not have 32 bytes"},
		{"zero key", joined(node + pb(3, zeroes)), "NodeJoined1 field 3 is zero"},
		{"level of 0", joined(node + pb(3, digest) + pv(4, 0)), "NodeJoined1 field 4 is there although it is zero"},
		{"joined with more", joined(node + pb(3, digest) + pv(5, 1)), "NodeJoined1 field 5 is unknown"},
		{"checkpoint without size", ofStream("checkpoint.1", pb(2, digest)), "Checkpoint1 field 1 is missing"},
		{"checkpoint of nothing", ofStream("checkpoint.1", pv(1, 0)+pb(2, digest)), "Checkpoint1 field 1 is there although it is zero"},
		{"checkpoint without root", ofStream("checkpoint.1", pv(1, 7)), "Checkpoint1 field 2 is missing"},
		{"short root", ofStream("checkpoint.1", pv(1, 7)+pb(2, id)), "Checkpoint1 field 2 does not have 32 bytes"},
		{"checkpoint with more", checkpoint(sighting + pb(4, "x")), "Checkpoint1 field 4 is unknown"},
		{"65 sightings", checkpoint(strings.Repeat(sighting, 65)), "Checkpoint1 field 3 is there more often than it may be"},
		{"sighting by nobody", checkpoint(pb(3, pb(1, "n1"))), "Sighting field 2 is missing"},
		{"sighting by zero", checkpoint(pb(3, pb(1, "n1")+pb(2, zeroes[:16]))), "Sighting field 2 is zero"},
		{"second sighting empty", checkpoint(sighting + pb(3, "")), "Sighting field 2 is missing"},
		{"replica with a long name", checkpoint(pb(3, pb(1, strings.Repeat("a", 256))+pb(2, id))), "Sighting field 1 is too long"},
		{"replica not UTF-8", checkpoint(pb(3, pb(1, "\xff")+pb(2, id))), "Sighting field 1 is not valid UTF-8"},
		{"sighting with more", checkpoint(pb(3, pb(1, "n1")+pb(2, id)+pv(3, 1))), "Sighting field 3 is unknown"},
		{"cut sighting", checkpoint("\x1a\x05a"), "Checkpoint1 field 3 is cut short"},
		{"joined in another account", account("node.joined.1", node+pb(3, digest)), "Fact field 7 is not the account root"},
		{"left in another account", account("node.left.1", node), "Fact field 7 is not the account root"},
		{"checkpoint in another account", account("checkpoint.1", pv(1, 7)+pb(2, digest)), "Fact field 7 is not the account root"},
		{"joined by a token", pb(1, "node.joined.1") + pb(2, id) + byActor + pb(7, "root") + pb(9, node+pb(3, digest)), "Fact field 4 names an actor where there is none"},
		{"left by a token", pb(1, "node.left.1") + pb(2, id) + byActor + pb(7, "root") + pb(9, node), "Fact field 4 names an actor where there is none"},
		{"checkpoint by a token", pb(1, "checkpoint.1") + pb(2, id) + byActor + pb(7, "root") + pb(9, pv(1, 7)+pb(2, digest)), "Fact field 4 names an actor where there is none"},
		{"left about a token", pb(1, "node.left.1") + pb(2, id) + pb(7, "root") + pb(8, "t") + pb(9, node), "Fact field 8 names a token where"},
	} {
		f, err := domain.Decode([]byte(c.data))
		var unreadable *domain.UnreadableError
		if !errors.As(err, &unreadable) || f != nil {
			t.Errorf("%s: got %+v, error %v", c.name, f, err)
		} else if !strings.Contains(unreadable.What, c.want) {
			t.Errorf("%s:\n got %s\nwant …%s…", c.name, unreadable.What, c.want)
		}
	}
}

// canonical holds what makes a record's bytes comparable.
func canonical(t *testing.T, data []byte) {
	f, err := domain.Decode(data)
	if err != nil {
		return
	}
	if again := domain.Encode(f); string(again) != string(data) {
		t.Fatalf("accepted\n     %x\nbut encodes it as\n     %x", data, again)
	}
}

func TestWhatDecodeAcceptsHasOneForm(t *testing.T) {
	for _, f := range goldens {
		data := domain.Encode(&f)
		for i := range data {
			canonical(t, data[:i])
			canonical(t, slices.Delete(slices.Clone(data), i, i+1))
			canonical(t, slices.Insert(slices.Clone(data), i, data[i]))
			canonical(t, slices.Insert(slices.Clone(data), i, 0))
			changed := slices.Clone(data)
			for range 255 {
				changed[i]++
				canonical(t, changed)
			}
		}
	}
}

func TestDecodedFactsDoNotShareTheData(t *testing.T) {
	want := goldens["token.issued.1"]
	data := domain.Encode(&want)
	f, err := domain.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if !reflect.DeepEqual(*f, want) {
		t.Errorf("after its data was overwritten it is %+v", *f)
	}
}

func TestEncodePanicsRatherThanLosingFields(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a pointer to an event was encoded")
		}
	}()
	f := golden(&domain.TokenDisabled{})
	domain.Encode(&f)
}

// Lengths of one, two and three bytes, at every depth.
func TestLongFieldsAreReadBack(t *testing.T) {
	for _, n := range []int{1, 100, 126, 127, 128, 16_000, 16_382, 16_383, 16_384, 25_000} {
		long := strings.Repeat("x", n)
		p := domain.Permissions{Mode: domain.Union}
		for range 2 {
			p.Allow = append(p.Allow, domain.Grant{Resource: "/", Actions: []domain.Action{domain.Action(long), "b"}})
		}
		for _, e := range []domain.Event{
			domain.AccountOpened{Name: long},
			domain.TokenEdited{Permissions: &p},
			domain.TokenEdited{Tags: &[]domain.Tag{{Key: "a" + long, Value: long}, {Key: "b"}, {Key: "c"}}},
		} {
			want := golden(e)
			got, err := domain.Decode(domain.Encode(&want))
			if err != nil {
				t.Errorf("%d bytes in %s: %v", n, e.Type(), err)
			} else if !reflect.DeepEqual(*got, want) {
				t.Errorf("%d bytes in %s came back otherwise", n, e.Type())
			}
		}
	}
}
