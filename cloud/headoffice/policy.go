package headoffice

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/ledger"
)

const (
	minuteMS = int64(60_000)
	hourMS   = 60 * minuteMS
	dayMS    = 24 * hourMS

	maxHoldMS   = dayMS
	maxPickupMS = 30 * dayMS
	maxKeys     = 16
	keySize     = 32 // bytes of an Ed25519 public key
	maxCost     = 1_000_000
)

// DefaultPolicy is what a new store gets. The costs are of a lost sale at the
// till, a lost sale online and a broken promise, in thousandths.
func DefaultPolicy() *recordv1.Policy {
	return &recordv1.Policy{
		LastUnit: recordv1.LastUnitPolicy_LAST_UNIT_POLICY_ASK,
		GraceMs:  30 * minuteMS, StoreCost: 1500, OnlineCost: 1000, BrokenCost: 5000,
		PickupWindowMs: 4 * hourMS, HoldMs: 15 * minuteMS,
	}
}

// setPolicy changes a store's policy and tells the store. The policy that the
// store has already is not sent again.
func (d *desk) setPolicy(p *recordv1.SetPolicy) (*recordv1.Result, error) {
	if err := checkPolicy(p.GetPolicy()); err != nil {
		return nil, err
	}
	s, err := d.store(p.GetStore())
	if err != nil {
		return nil, err
	}
	b, err := encode.Marshal(p.GetPolicy())
	if err != nil {
		return nil, err
	}
	if bytes.Equal(b, s.policy) {
		return &recordv1.Result{}, nil
	}
	if _, err := d.tx.Exec(updatePolicy, b, s.id); err != nil {
		return nil, fmt.Errorf("save policy of store %d: %w", s.id, err)
	}
	if err := d.orderPolicy(s, p.GetPolicy()); err != nil {
		return nil, err
	}
	return &recordv1.Result{}, d.save(s)
}

func (d *desk) orderPolicy(s *store, p *recordv1.Policy) error {
	return d.order(s, &recordv1.Directive{
		Body: &recordv1.Directive_Policy{Policy: &recordv1.PolicyUpdate{Policy: p}}})
}

func checkPolicy(p *recordv1.Policy) error {
	switch p.GetLastUnit() {
	case recordv1.LastUnitPolicy_LAST_UNIT_POLICY_BLOCK, recordv1.LastUnitPolicy_LAST_UNIT_POLICY_ASK,
		recordv1.LastUnitPolicy_LAST_UNIT_POLICY_AUTO:
	default:
		return badRequest("last_unit", "last unit policy %d", p.GetLastUnit())
	}
	limits := []struct {
		name     string
		n, least int64
		most     int64
	}{
		{"grace", p.GetGraceMs(), 0, maxPickupMS},
		{"floor", p.GetFloorUnits(), 0, int64(ledger.MaxUnits)},
		{"share", int64(p.GetSharePermille()), 0, 1000},
		{"pickup_window", p.GetPickupWindowMs(), minuteMS, maxPickupMS},
		{"hold", p.GetHoldMs(), minuteMS, maxHoldMS},
		{"offline_promise_limit", p.GetOfflinePromiseLimitMs(), 0, maxPickupMS},
		{"store_cost", int64(p.GetStoreCost()), 0, maxCost},
		{"online_cost", int64(p.GetOnlineCost()), 0, maxCost},
		{"broken_cost", int64(p.GetBrokenCost()), 0, maxCost},
	}
	for _, l := range limits {
		if l.n < l.least || l.n > l.most {
			return badRequest(l.name, "%s is %d, not from %d to %d", l.name, l.n, l.least, l.most)
		}
	}
	return nil
}

// setKeys replaces the keys that pickup codes are signed with and tells every
// store. Versions only rise.
func (d *desk) setKeys(k *recordv1.SetKeys) (*recordv1.Result, error) {
	set := k.GetKeys()
	if err := checkKeys(set); err != nil {
		return nil, err
	}
	known, err := decodeKeys(d.keys)
	if err != nil {
		return nil, err
	}
	if proto.Equal(known, set) {
		return &recordv1.Result{}, nil
	}
	if set.GetVersion() <= known.GetVersion() {
		return nil, badRequest("version", "key set %d, the last was %d", set.GetVersion(),
			known.GetVersion())
	}
	if d.keys, err = encode.Marshal(set); err != nil {
		return nil, err
	}
	stores, err := loadStores(d.tx, 0, -1)
	if err != nil {
		return nil, err
	}
	for _, s := range stores {
		if err := d.orderKeys(s); err != nil {
			return nil, err
		}
		if err := d.save(s); err != nil {
			return nil, err
		}
	}
	d.touch(AllStores)
	return &recordv1.Result{}, nil
}

// orderKeys sends the keys to a store that does not have them yet.
func (d *desk) orderKeys(s *store) error {
	set, err := decodeKeys(d.keys)
	if err != nil || set.GetVersion() == s.keysVersion {
		return err
	}
	s.keysVersion = set.GetVersion()
	return d.order(s, &recordv1.Directive{Body: &recordv1.Directive_Keys{Keys: set}})
}

func decodeKeys(b []byte) (*recordv1.KeySet, error) {
	set := new(recordv1.KeySet)
	if err := proto.Unmarshal(b, set); err != nil {
		return nil, fmt.Errorf("decode keys: %w", err)
	}
	return set, nil
}

func checkKeys(set *recordv1.KeySet) error {
	if n := len(set.GetKeys()); n == 0 || n > maxKeys || set.GetVersion() == 0 {
		return badRequest("keys", "%d keys in version %d", n, set.GetVersion())
	}
	for i, k := range set.GetKeys() {
		if len(k.GetPublic()) != keySize || k.GetId() == 0 {
			return badRequest("keys", "key %d has %d bytes", k.GetId(), len(k.GetPublic()))
		}
		for _, other := range set.GetKeys()[:i] {
			if other.GetId() == k.GetId() {
				return badRequest("keys", "two keys are called %d", k.GetId())
			}
		}
	}
	return nil
}

// limitPromises refuses a promise for a store that has been silent for longer
// than its policy allows.
func (d *desk) limitPromises(s *store, p *recordv1.Policy) error {
	limit := p.GetOfflinePromiseLimitMs()
	if limit <= 0 || s.connected || d.now-s.sessionAt < limit {
		return nil
	}
	return stock.Refuse(stock.Offline, "store %d has been silent since %d", s.id, s.sessionAt).
		With("since", time.UnixMilli(s.sessionAt).UTC().Format(time.RFC3339))
}
