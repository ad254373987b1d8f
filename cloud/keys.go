package cloud

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/internal/identity"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

const (
	// keyLife is how long a pickup key may sign.
	keyLife = 365 * 24 * time.Hour
	// keyLead is how long before its first code a new key is told to the stores,
	// and copied to the cloud's other processes.
	keyLead = 24 * time.Hour
	// keyOverlap is how long the key before may still sign, for a process that
	// lacks the new one.
	keyOverlap = 7 * 24 * time.Hour
	// codesLast is how long a key's last code may be shown: an order waits 30 days
	// at most, and as long again by a shop's grace.
	codesLast = 60 * 24 * time.Hour
	// mostKeys is how many keys the stores are told at most.
	mostKeys = 16
)

// keyring is the keys that this process signs pickup tokens with. Which one
// signs is a matter of when an order was confirmed, so that its token is the same
// each time, whichever process is asked.
type keyring struct{ now atomic.Pointer[keyState] }

type keyState struct {
	own []identity.SigningKey
	set *recordv1.KeySet // that the stores are told
}

// at is the newest key of this process that was in force then.
func (k *keyring) at(confirmed int64) (uint32, ed25519.PrivateKey) {
	s := k.now.Load()
	best, since := s.own[0], int64(-1)
	for _, own := range s.own {
		known := find(s.set, own.ID)
		if from := known.GetNotBefore(); known != nil && from <= confirmed && from > since {
			best, since = own, from
		}
	}
	return best.ID, best.Private
}

// warning says that this process lacks a key that others sign with.
func (k *keyring) warning() string {
	s := k.now.Load()
	last := newest(s.set)
	if last == nil || slices.ContainsFunc(s.own, func(own identity.SigningKey) bool { return own.ID == last.GetId() }) {
		return ""
	}
	return fmt.Sprintf("the pickup key %08x is not in this process's folder: copy its pickup-*.key from another "+
		"one's before %s", last.GetId(), time.UnixMilli(last.GetNotBefore()).UTC().Format(time.RFC3339))
}

func find(set *recordv1.KeySet, id uint32) *recordv1.PickupKey {
	for _, k := range set.GetKeys() {
		if k.GetId() == id {
			return k
		}
	}
	return nil
}

// newest is the key that signs last; nil if there is none.
func newest(set *recordv1.KeySet) (last *recordv1.PickupKey) {
	for _, k := range set.GetKeys() {
		if last == nil || k.GetNotBefore() > last.GetNotBefore() {
			last = k
		}
	}
	return last
}

// planKeys is what the stores shall be told: keys that they do not know begin to
// sign after a while, and end the one before.
func planKeys(known *recordv1.KeySet, own []identity.SigningKey, now time.Time) *recordv1.KeySet {
	next := proto.CloneOf(known)
	for _, k := range own {
		if find(next, k.ID) != nil || !makeRoom(next, now) {
			continue
		}
		from := now.Add(keyLead)
		if len(next.Keys) == 0 {
			from = now.Add(-time.Hour) // nobody has another; clocks differ
		}
		next.Keys = append(next.Keys, &recordv1.PickupKey{Id: k.ID,
			Public:    k.Private.Public().(ed25519.PublicKey),
			NotBefore: from.UnixMilli(), NotAfter: from.Add(keyLife).UnixMilli()})
	}
	last := newest(next)
	for _, k := range next.Keys {
		if k != last {
			k.NotAfter = min(k.GetNotAfter(), last.GetNotBefore()+keyOverlap.Milliseconds())
		}
	}
	if now.Add(keyLife/2).UnixMilli() > last.GetNotAfter() {
		last.NotAfter = now.Add(keyLife).UnixMilli()
	}
	return next
}

// makeRoom lets the oldest key go, when there are too many for one more and
// nobody can show a code of it any more.
func makeRoom(set *recordv1.KeySet, now time.Time) bool {
	if len(set.GetKeys()) < mostKeys {
		return true
	}
	oldest := slices.MinFunc(set.GetKeys(), func(a, b *recordv1.PickupKey) int {
		return cmp.Compare(a.GetNotAfter(), b.GetNotAfter())
	})
	if oldest.GetNotAfter() > now.Add(-codesLast).UnixMilli() {
		return false
	}
	set.Keys = slices.DeleteFunc(set.Keys, func(k *recordv1.PickupKey) bool { return k == oldest })
	return true
}

// readKeys reads the keys of this process's folder, and those that the stores
// were told.
func (c *cloud) readKeys(ctx context.Context) error {
	own, err := identity.OpenSigningKeys(c.o.Data)
	if err != nil {
		return err
	}
	s := &keyState{own: own}
	err = c.engine.View(ctx, func(tx *journal.Tx) (err error) {
		s.set, err = headoffice.Keys(tx)
		return err
	})
	if err == nil {
		c.keys.now.Store(s)
	}
	return err
}

// publishKeys tells the stores the keys that pickup tokens are signed with, if
// there is anything new.
func (c *cloud) publishKeys(ctx context.Context) error {
	if c.keysToTell() == nil {
		return nil
	}
	// This copy may be behind: another process may have told them.
	if err := errors.Join(c.engine.Sync(ctx), c.readKeys(ctx)); err != nil {
		return err
	}
	next := c.keysToTell()
	if next == nil {
		return nil
	}
	_, err := c.engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_SetKeys{
		SetKeys: &recordv1.SetKeys{Keys: next}}})
	if err != nil {
		return err
	}
	return c.readKeys(ctx)
}

// keysToTell is the next set of keys; nil if the stores were told all.
func (c *cloud) keysToTell() *recordv1.KeySet {
	s := c.keys.now.Load()
	next := planKeys(s.set, s.own, time.Now())
	if proto.Equal(next, s.set) {
		return nil
	}
	next.Version++
	return next
}

// KeyInfo is how a pickup key stands.
type KeyInfo struct {
	ID    uint32
	From  time.Time // signs orders that are confirmed from then on
	Until time.Time
	Here  bool // the process that was asked has it
}

func (c *cloud) serveKeys(w http.ResponseWriter, _ *http.Request) {
	s := c.keys.now.Load()
	infos := []KeyInfo{}
	for _, k := range s.set.GetKeys() {
		infos = append(infos, KeyInfo{ID: k.GetId(), From: time.UnixMilli(k.GetNotBefore()).UTC(),
			Until: time.UnixMilli(k.GetNotAfter()).UTC(),
			Here:  slices.ContainsFunc(s.own, func(own identity.SigningKey) bool { return own.ID == k.GetId() })})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(infos) // whoever asked may be gone
}

// KeysOptions say where a new pickup key is made.
type KeysOptions struct {
	Data string `help:"Folder of the cloud." default:"/var/lib/holdfast/cloud"`
}

// RotateKeys makes a new key for pickup codes beside the present one, and returns
// a sentence.
func RotateKeys(o KeysOptions) (string, error) {
	if _, err := os.Stat(filepath.Join(o.Data, sharedKeys[2])); err != nil {
		return "", fmt.Errorf("the folder is no cloud's: %w", err)
	}
	k, err := identity.NewSigningKey(o.Data)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Pickup key %08x is in %s. The process that runs there tells it to the stores within seconds, "+
		"and signs orders with it that are confirmed %d hours later or more; codes of before stay good. Copy the file to the "+
		"folders of the cloud's other processes before that.", k.ID, filepath.Join(o.Data, k.File), keyLead/time.Hour), nil
}

// ListKeys lists the keys that pickup codes are signed with.
func ListKeys(ctx context.Context, a AdminAt) (string, error) {
	var infos []KeyInfo
	if err := a.call(ctx, http.MethodGet, "keys", &infos); err != nil {
		return "", err
	}
	text := ""
	for _, i := range infos {
		where := "here"
		if !i.Here {
			where = "not here"
		}
		text += fmt.Sprintf("%08x  signs from %s until %s  %s\n", i.ID, i.From.Format(time.DateTime),
			i.Until.Format(time.DateTime), where)
	}
	return text[:max(len(text)-1, 0)], nil
}
