package headoffice

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const storeColumns = `store, info, policy, epoch_timeline, epoch_counter, node, session, connected,
  member, session_at, seq, hash, applied_at, timeline, directive, directive_hash, acked,
  keys_version, boot_count, boot_id, build, catalogue, backlog, quarantined, frozen, forked_at`

const (
	selectStore = `SELECT ` + storeColumns + ` FROM store WHERE store = ?`
	listStores  = `SELECT ` + storeColumns + ` FROM store WHERE store > ? ORDER BY store LIMIT ?`
	insertStore = `INSERT INTO store (` + storeColumns + `)
  VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	updateStore = `UPDATE store SET epoch_timeline=?, epoch_counter=?, node=?, session=?,
  connected=?, member=?, session_at=?, seq=?, hash=?, applied_at=?, timeline=?, directive=?,
  directive_hash=?, acked=?, keys_version=?, boot_count=?, boot_id=?, build=?, catalogue=?,
  backlog=?, quarantined=?, frozen=?, forked_at=? WHERE store=?`
	updateChain  = `UPDATE store SET directive=?, directive_hash=? WHERE store=?`
	updateInfo   = `UPDATE store SET info = ? WHERE store = ?`
	updatePolicy = `UPDATE store SET policy = ? WHERE store = ?`
)

// store is one store's row.
type store struct {
	id          stock.StoreID
	info        []byte // encoded StoreInfo
	policy      []byte // encoded Policy
	epoch       stock.Epoch
	node        []byte // key hash of the node that may connect; empty: none
	session     uint64
	connected   bool // the session is open
	member      string
	sessionAt   int64            // when the session was opened or ended
	applied     journal.Position // of the store's journal
	appliedAt   int64
	timeline    stock.Timeline
	directives  journal.Position // last one written
	acked       uint64
	keysVersion uint32 // last key set sent
	bootCount   uint32
	bootID      []byte
	build       string
	catalogue   uint64 // version that the node last said it has
	backlog     uint64 // records that the node last said it has not sent
	quarantined bool   // its counters contradicted ours; facts are archived only
	frozen      bool   // no node is served before an operator admits one
	forkedAt    int64  // when its history last differed from ours

	decodedInfo   *recordv1.StoreInfo // of info, once somebody asked
	decodedPolicy *recordv1.Policy    // of policy, the same
}

// scanner is a row that can be read once.
type scanner interface{ Scan(dest ...any) error }

func scanStore(row scanner) (*store, error) {
	s := new(store)
	err := row.Scan(&s.id, &s.info, &s.policy, &s.epoch.Timeline, &s.epoch.Counter, &s.node,
		&s.session, &s.connected, &s.member, &s.sessionAt, &s.applied.Seq, &s.applied.Hash,
		&s.appliedAt, &s.timeline, &s.directives.Seq, &s.directives.Hash, &s.acked,
		&s.keysVersion, &s.bootCount, &s.bootID, &s.build, &s.catalogue, &s.backlog, &s.quarantined,
		&s.frozen, &s.forkedAt)
	return s, err
}

// args are the columns that updateStore writes.
func (s *store) args() []any {
	return []any{s.epoch.Timeline, s.epoch.Counter, blob(s.node), s.session, s.connected,
		s.member, s.sessionAt, s.applied.Seq, s.applied.Hash, s.appliedAt, s.timeline,
		s.directives.Seq, s.directives.Hash, s.acked, s.keysVersion, s.bootCount, blob(s.bootID),
		s.build, s.catalogue, s.backlog, s.quarantined, s.frozen, s.forkedAt}
}

// blob keeps an empty value from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// store loads a store's row, or refuses.
func (d *desk) store(id uint32) (*store, error) { return loadStore(d.tx, stock.StoreID(id)) }

func loadStore(tx *journal.Tx, id stock.StoreID) (*store, error) {
	s, err := scanStore(tx.QueryRow(selectStore, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, unknownStore(id)
	}
	if err != nil {
		return nil, fmt.Errorf("load store %d: %w", id, err)
	}
	return s, nil
}

func unknownStore(id stock.StoreID) error {
	return stock.Refuse(stock.UnknownStore, "store %d", id).With("store", id)
}

// save writes what may change of a store.
func (d *desk) save(s *store) error {
	d.touch(s.id)
	if _, err := d.tx.Exec(updateStore, append(s.args(), s.id)...); err != nil {
		return fmt.Errorf("save store %d: %w", s.id, err)
	}
	return nil
}

// saveChain writes a store of which only the chain of directives has changed.
func (d *desk) saveChain(s *store) error {
	d.touch(s.id)
	_, err := d.tx.Exec(updateChain, s.directives.Seq, s.directives.Hash, s.id)
	if err != nil {
		return fmt.Errorf("save the directives of store %d: %w", s.id, err)
	}
	return nil
}

// terms decodes a store's policy, which nobody may change.
func (s *store) terms() (*recordv1.Policy, error) {
	if s.decodedPolicy != nil {
		return s.decodedPolicy, nil
	}
	p := new(recordv1.Policy)
	if err := proto.Unmarshal(s.policy, p); err != nil {
		return nil, fmt.Errorf("decode policy of store %d: %w", s.id, err)
	}
	s.decodedPolicy = p
	return p, nil
}

// about decodes what shoppers may know of a store, which nobody may change.
func (s *store) about() (*recordv1.StoreInfo, error) {
	if s.decodedInfo != nil {
		return s.decodedInfo, nil
	}
	i := new(recordv1.StoreInfo)
	if err := proto.Unmarshal(s.info, i); err != nil {
		return nil, fmt.Errorf("decode store %d: %w", s.id, err)
	}
	s.decodedInfo = i
	return i, nil
}

// putStore creates or changes a store. A new one gets its policy and the keys
// as its first directives.
func (d *desk) putStore(p *recordv1.PutStore) (*recordv1.Result, error) {
	info := p.GetStore()
	if err := checkStore(info); err != nil {
		return nil, err
	}
	b, err := encode.Marshal(info)
	if err != nil {
		return nil, err
	}
	id := stock.StoreID(info.GetStore())
	s, err := loadStore(d.tx, id)
	if stock.Refused(err, stock.UnknownStore) {
		return d.newStore(id, b)
	}
	if err != nil {
		return nil, err
	}
	if bytes.Equal(s.info, b) {
		return &recordv1.Result{}, nil
	}
	d.touch(id)
	d.touch(AllStores)
	_, err = d.tx.Exec(updateInfo, b, id)
	return &recordv1.Result{}, err
}

func (d *desk) newStore(id stock.StoreID, info []byte) (*recordv1.Result, error) {
	policy := DefaultPolicy()
	b, err := encode.Marshal(policy)
	if err != nil {
		return nil, err
	}
	s := &store{id: id, info: info, policy: b, epoch: stock.Epoch{Timeline: d.timeline},
		timeline: d.timeline}
	args := append([]any{s.id, s.info, s.policy}, s.args()...)
	if _, err := d.tx.Exec(insertStore, args...); err != nil {
		return nil, fmt.Errorf("insert store %d: %w", id, err)
	}
	if err := d.orderPolicy(s, policy); err != nil {
		return nil, err
	}
	if err := d.orderKeys(s); err != nil {
		return nil, err
	}
	d.touch(AllStores)
	return &recordv1.Result{}, d.save(s)
}

const (
	maxStoreText = 200
	maxLatE6     = 90_000_000
	maxLonE6     = 180_000_000
)

func checkStore(i *recordv1.StoreInfo) error {
	if i.GetStore() == 0 {
		return badRequest("store", "a store without a number")
	}
	if i.GetName() == "" {
		return badRequest("name", "a store without a name")
	}
	texts := []struct{ name, text string }{{"name", i.GetName()}, {"town", i.GetTown()},
		{"street", i.GetStreet()}, {"postcode", i.GetPostcode()}, {"country", i.GetCountry()},
		{"timezone", i.GetTimezone()}, {"opening", i.GetOpening()}, {"language", i.GetLanguage()},
		{"currency", i.GetCurrency()}}
	for _, t := range texts {
		if !plain(t.text, maxStoreText) {
			return badRequest(t.name, "%s is too long or has control characters", t.name)
		}
	}
	if lat, lon := i.GetLatE6(), i.GetLonE6(); lat < -maxLatE6 || lat > maxLatE6 ||
		lon < -maxLonE6 || lon > maxLonE6 {
		return badRequest("place", "no such place on Earth: %d, %d", lat, lon)
	}
	return nil
}

// plain tells whether a text is at most this many characters of valid UTF-8
// without control characters.
func plain(s string, most int) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > most {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}
