package cloud

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast.dev/internal/identity"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/token"
)

// signs makes the token of an order as a process with these keys would, and
// verifies it, and by which key, as a store that was told the set.
func signs(t *testing.T, own []identity.SigningKey, set *recordv1.KeySet, confirmed time.Time) (
	text string, by uint32, err error) {
	t.Helper()
	k := new(keyring)
	k.now.Store(&keyState{own: own, set: set})
	id, key := k.at(confirmed.UnixMilli())
	text, err = token.Sign(token.Token{KeyID: id, Tenant: tenant, Store: 1, Timeline: 1, Reservation: [16]byte{1},
		DSeq: 1, IssuedAt: confirmed.UnixMilli(), PickupUntil: confirmed.Add(time.Hour).UnixMilli(),
		Lines: []token.Line{{SKU: 1, Units: 1}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	trusted := make(token.KeySet)
	for _, k := range set.GetKeys() {
		trusted[k.GetId()] = token.Key{Public: ed25519.PublicKey(k.GetPublic()), NotBefore: k.GetNotBefore(),
			NotAfter: k.GetNotAfter()}
	}
	tok, err := token.Verify(text, trusted)
	return text, tok.KeyID, err
}

func TestANewPickupKeySignsAfterItsLeadAndCodesOfBeforeStayGood(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	before, err := identity.OpenSigningKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	first := planKeys(new(recordv1.KeySet), before, now)
	old, _, err := signs(t, before, first, now)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := RotateKeys(KeysOptions{Data: dir}); err != nil || !strings.Contains(said, "stay good") {
		t.Fatalf("%q, %v", said, err)
	}
	own, err := identity.OpenSigningKeys(dir)
	if err != nil || len(own) != 2 {
		t.Fatalf("%d keys, %v", len(own), err)
	}
	set := planKeys(first, own, now)
	later := now.Add(keyLead + time.Minute)
	for _, tt := range []struct {
		name      string
		own       []identity.SigningKey
		confirmed time.Time
		same      bool // as before the new key was made
		by        uint32
	}{
		{"an order of before", own, now, true, own[0].ID},
		{"within the lead", own, later.Add(-time.Hour), false, own[0].ID},
		{"after it", own, later, false, own[1].ID},
		{"after it, by a process without the key", before, later, false, own[0].ID},
	} {
		text, by, err := signs(t, tt.own, set, tt.confirmed)
		if err != nil || by != tt.by {
			t.Errorf("%s is signed by key %d, want %d, %v", tt.name, by, tt.by, err)
		}
		if tt.same && text != old {
			t.Errorf("%s has another token", tt.name)
		}
	}
	if _, _, err := signs(t, before, set, later.Add(keyOverlap+time.Hour)); !stock.Refused(err, stock.BadSignature) {
		t.Errorf("the key of before signs for ever: %v", err)
	}
	lacking := new(keyring)
	lacking.now.Store(&keyState{own: before, set: set})
	if said := lacking.warning(); !strings.Contains(said, "copy its pickup-*.key") {
		t.Errorf("a process without the key says %q", said)
	}
	for range 3 {
		again := planKeys(set, own, now.Add(time.Hour))
		if len(again.Keys) != 2 || again.Keys[0].NotAfter != set.Keys[0].NotAfter {
			t.Errorf("another look changes the keys: %v", again)
		}
	}
}

func TestAFullSetOfKeysLetsOnlyThoseGoThatNobodyCanShow(t *testing.T) {
	now := time.Now()
	set := new(recordv1.KeySet)
	for i := range mostKeys {
		from := now.Add(time.Duration(i-mostKeys) * keyLife)
		set.Keys = append(set.Keys, &recordv1.PickupKey{Id: uint32(i + 1), NotBefore: from.UnixMilli(),
			NotAfter: from.Add(keyLife).UnixMilli()})
	}
	own, err := identity.OpenSigningKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	next := planKeys(set, own, now)
	if len(next.Keys) != mostKeys || find(next, 1) != nil || find(next, own[0].ID) == nil {
		t.Errorf("%d keys, the oldest is there: %t", len(next.Keys), find(next, 1) != nil)
	}
	for _, k := range set.Keys {
		k.NotAfter = now.UnixMilli()
	}
	if next := planKeys(set, own, now); find(next, own[0].ID) != nil {
		t.Error("a key went whose codes may still be shown")
	}
}

func TestARunningCloudTellsOfANewKey(t *testing.T) {
	p := newPlace(t, "")
	p.start(t)
	list := func() (string, error) { return ListKeys(t.Context(), p.admin()) }
	until(t, "one key", list, func(s string) bool { return strings.Count(s, "here") == 1 })
	if _, err := RotateKeys(KeysOptions{Data: p.o.Data}); err != nil {
		t.Fatal(err)
	}
	until(t, "two keys", list, func(s string) bool { return strings.Count(s, "here") == 2 })
	later, err := identity.LaterSigningKeys(p.o.Data)
	if err != nil || len(later) != 1 {
		t.Fatal(later, err)
	}
	file := filepath.Join(t.TempDir(), "backup.tar")
	_, err = Backup(t.Context(), BackupOptions{AdminAt: p.admin(), Data: p.o.Data, File: file}, new(strings.Builder))
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if _, err := restore(t, file, to); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(to, later[0])); err != nil {
		t.Errorf("the new key is not in the backup: %v", err)
	}
}
