package headoffice

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// Version is the newest version of commands that this machine understands.
const Version = 3

// careful is the version from which on promises keep their request, a store can
// be renewed, and more of what is old is forgotten.
const careful = 2

// Forgets is the version from which on all members know how to drop old commands.
const Forgets = 3

// Needs is the version that members must understand before a command may be in
// their log.
func Needs(c *recordv1.Command) uint32 {
	if c.GetRenew() != nil || c.GetBumpTimeline().GetAfter() > 0 {
		return careful
	}
	return 1
}

// AllStores is what Changed names when something changed for every store, such
// as the catalogue.
const AllStores stock.StoreID = 0

// Machine builds the cloud's tables from its commands; see journal.Machine.
type Machine struct {
	// Changed, when set, is told inside the transaction which stores the
	// command with this number touched. It must not use the transaction.
	Changed func(seq uint64, stores []stock.StoreID)

	products Products
}

// Migrations returns the SQL of each version of the tables.
func (m *Machine) Migrations() []string {
	return []string{books.Migration(), tables, books.RecoveryMigration(), recoveryTables, careTables,
		leanIndexes}
}

// Apply changes the tables by one encoded Command and returns its encoded
// Result, or a *stock.Refusal with nothing written. A command that cannot be
// decoded is a fault: guessing would let members differ.
func (m *Machine) Apply(tx *journal.Tx, seq uint64, data []byte) ([]byte, error) {
	var c recordv1.Command
	if err := proto.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("decode command %d: %w", seq, err)
	}
	if c.GetVersion() > Version {
		return nil, fmt.Errorf("command %d has version %d, this program knows %d", seq, c.GetVersion(),
			Version)
	}
	d, err := sit(tx, c.GetNow())
	if err != nil {
		return nil, err
	}
	d.version, d.request, d.products = c.GetVersion(), c.GetRequest(), &m.products
	result, err := d.do(&c)
	if err != nil {
		return nil, err
	}
	if err := d.saveOffice(); err != nil {
		return nil, err
	}
	if m.Changed != nil && len(d.touched) > 0 {
		m.Changed(seq, d.touched)
	}
	return encode.Marshal(result)
}

// encode gives the same bytes for the same message.
var encode = proto.MarshalOptions{Deterministic: true}

const (
	selectOffice = `SELECT now, timeline, next_sku, catalogue, keys FROM office WHERE id = 1`
	updateOffice = `UPDATE office SET now = ?, next_sku = ?, catalogue = ?, keys = ? WHERE id = 1`
)

// desk is where one command is worked on: the transaction, the time of the
// command, what belongs to no store, and what was touched.
type desk struct {
	tx        *journal.Tx
	now       int64 // never runs backwards from command to command
	timeline  stock.Timeline
	nextSKU   stock.SKU
	catalogue uint64
	keys      []byte // encoded KeySet; empty: none yet
	touched   []stock.StoreID
	version   uint32      // of the command
	request   []byte      // that it answers
	products  *Products   // nil: none are kept
	changed   func() bool // whether the office's row is not as it was
}

func sit(tx *journal.Tx, now int64) (*desk, error) {
	d := &desk{tx: tx}
	err := tx.QueryRow(selectOffice).Scan(&d.now, &d.timeline, &d.nextSKU, &d.catalogue, &d.keys)
	if err != nil {
		return nil, fmt.Errorf("load office: %w", err)
	}
	was := *d
	d.changed = func() bool {
		return d.now != was.now || d.nextSKU != was.nextSKU || d.catalogue != was.catalogue ||
			!bytes.Equal(d.keys, was.keys)
	}
	d.now = max(d.now, now)
	return d, nil
}

// saveOffice writes the office's row, if the command changed it: many commands
// come in one millisecond.
func (d *desk) saveOffice() error {
	if !d.changed() {
		return nil
	}
	keys := d.keys
	if keys == nil {
		keys = []byte{}
	}
	_, err := d.tx.Exec(updateOffice, d.now, d.nextSKU, d.catalogue, keys)
	return err
}

// touch remembers that something of the store changed.
func (d *desk) touch(id stock.StoreID) {
	for _, known := range d.touched {
		if known == id {
			return
		}
	}
	d.touched = append(d.touched, id)
}

// do sends a command to its handler.
func (d *desk) do(c *recordv1.Command) (*recordv1.Result, error) {
	switch v := c.GetBody().(type) {
	case *recordv1.Command_ApplyBatch:
		return d.applyBatch(v.ApplyBatch)
	case *recordv1.Command_ReserveNow:
		return d.reserveNow(v.ReserveNow)
	case *recordv1.Command_Hold:
		return d.hold(v.Hold)
	case *recordv1.Command_Confirm:
		return d.confirm(v.Confirm)
	case *recordv1.Command_ReleaseHold:
		return d.releaseHold(v.ReleaseHold)
	case *recordv1.Command_ExpireHolds:
		return d.expireHolds()
	case *recordv1.Command_RequestCancel:
		return d.requestCancel(v.RequestCancel)
	case *recordv1.Command_ReturnQuota:
		return d.returnQuota(v.ReturnQuota)
	}
	return d.manage(c)
}

// manage handles what operators and links do.
func (d *desk) manage(c *recordv1.Command) (*recordv1.Result, error) {
	switch v := c.GetBody().(type) {
	case *recordv1.Command_PutStore:
		return d.putStore(v.PutStore)
	case *recordv1.Command_ImportProducts:
		return d.importProducts(v.ImportProducts)
	case *recordv1.Command_IssueJoin:
		return d.issueJoin(v.IssueJoin)
	case *recordv1.Command_Enrol:
		return d.enrol(v.Enrol)
	case *recordv1.Command_Fence:
		return d.fence(v.Fence)
	case *recordv1.Command_OpenSession:
		return d.openSession(v.OpenSession)
	case *recordv1.Command_CloseSession:
		return d.closeSession(v.CloseSession)
	case *recordv1.Command_AckDirectives:
		return d.ackDirectives(v.AckDirectives)
	case *recordv1.Command_SetPolicy:
		return d.setPolicy(v.SetPolicy)
	case *recordv1.Command_SetKeys:
		return d.setKeys(v.SetKeys)
	case *recordv1.Command_ExpireData:
		return d.expireData()
	}
	return d.recovery(c)
}

// recovery handles what brings a store or the cloud back after a loss.
func (d *desk) recovery(c *recordv1.Command) (*recordv1.Result, error) {
	switch v := c.GetBody().(type) {
	case *recordv1.Command_BumpTimeline:
		return d.bumpTimeline(v.BumpTimeline)
	case *recordv1.Command_AdmitNode:
		return d.admitNode(v.AdmitNode)
	case *recordv1.Command_Reimport:
		return d.reimport(v.Reimport)
	case *recordv1.Command_SalvageUpload:
		return d.salvageUpload(v.SalvageUpload)
	case *recordv1.Command_VoidDirective:
		return d.voidDirective(v.VoidDirective)
	case *recordv1.Command_Abandon:
		return d.abandon(v.Abandon)
	case *recordv1.Command_Renew:
		return d.renew(v.Renew)
	case *recordv1.Command_HandleAnomaly:
		return d.handleAnomaly(v.HandleAnomaly)
	case *recordv1.Command_ClusterVersion:
		return d.raiseVersion(v.ClusterVersion)
	case *recordv1.Command_CheckHash:
		return counted(0), nil // members compare what they have applied; nothing changes
	}
	return nil, fmt.Errorf("command %T is not known", c.GetBody())
}

// raiseVersion lets commands of a newer version in, once every member
// understands them. It never goes back.
func (d *desk) raiseVersion(v *recordv1.ClusterVersion) (*recordv1.Result, error) {
	if v.GetVersion() > Version {
		return nil, stock.Refuse(stock.TooOld, "version %d, this program knows %d", v.GetVersion(), Version)
	}
	n, err := d.tx.Exec(raiseVersion, v.GetVersion())
	return counted(n), err
}

const raiseVersion = `UPDATE office SET cluster_version = ?1 WHERE id = 1 AND cluster_version < ?1`

// id16 takes an id that its caller made. Zero is no id.
func id16(b []byte, what string) ([16]byte, error) {
	var id [16]byte
	if len(b) != len(id) || [16]byte(b) == id {
		return id, badRequest(what, "%s is not an id of 16 bytes", what)
	}
	return [16]byte(b), nil
}

func badRequest(what, format string, args ...any) *stock.Refusal {
	return stock.Refuse(stock.BadRequest, format, args...).With("what", what)
}
