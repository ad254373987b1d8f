package headoffice

import (
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

// careTables is the SQL of what came with commands of version 2. Commands of
// version 1 touch none of it: members that do not know it must agree on them.
const careTables = `
CREATE TABLE promise_request (
  request BLOB NOT NULL PRIMARY KEY, store INTEGER NOT NULL, reservation BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX promise_request_of ON promise_request (store, reservation);
CREATE TABLE renewal (
  store INTEGER PRIMARY KEY, part INTEGER NOT NULL, seq INTEGER NOT NULL
) STRICT;
`

const (
	insertRequest = `INSERT INTO promise_request (request, store, reservation) VALUES (?,?,?)
  ON CONFLICT (request) DO NOTHING`
	selectRequest = `SELECT reservation FROM promise_request WHERE request = ?`
	deleteRequest = `DELETE FROM promise_request WHERE request = ? AND store = ? AND reservation = ?`
	readReserves  = `SELECT store, reserve FROM promise WHERE (store, reservation) IN `
)

const (
	requestSize  = 16
	requestTable = "promise_request"
)

// keepRequest remembers which request led to a promise.
func (d *desk) keepRequest(s *store, r *recordv1.Reserve) error {
	if d.version < careful || len(r.GetRequest()) != requestSize {
		return nil
	}
	_, err := d.tx.Exec(insertRequest, r.GetRequest(), s.id, r.GetReservation())
	if err != nil {
		return fmt.Errorf("keep the request of promise %x: %w", r.GetReservation(), err)
	}
	return nil
}

// dropRequests forgets the requests that led to the promises which a query finds,
// and returns how many those were. A promise says which request it answers.
func (d *desk) dropRequests(find string, args ...any) (dropped int64, err error) {
	rows, err := d.tx.Query(readReserves+"("+find+")", args...)
	if err != nil {
		return 0, fmt.Errorf("look for promises: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var store stock.StoreID
		var data []byte
		if err := rows.Scan(&store, &data); err != nil {
			return 0, fmt.Errorf("read promise: %w", err)
		}
		r := new(recordv1.Reserve)
		if err := proto.Unmarshal(data, r); err != nil {
			return 0, fmt.Errorf("decode promise: %w", err)
		}
		n, err := d.tx.Exec(deleteRequest, blob(r.GetRequest()), store, r.GetReservation())
		if err != nil {
			return 0, fmt.Errorf("forget the request of promise %x: %w", r.GetReservation(), err)
		}
		dropped += n
	}
	return dropped, rows.Err()
}

// ledTo finds the promise that this command's request led to before the cloud
// was restored from a backup; nil when there is none. The log has forgotten the
// request, but the promise that a store brought back carries it.
func (d *desk) ledTo() (*Promise, error) {
	if d.version < careful || len(d.request) != requestSize {
		return nil, nil
	}
	var id [16]byte
	err := d.tx.QueryRow(selectRequest, d.request).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for request %x: %w", d.request, err)
	}
	return findPromise(d.tx, id)
}

// confirmedBefore answers a Confirm whose hold is not known, or not any more.
func (d *desk) confirmedBefore(s *store, hold [16]byte) (*recordv1.Result, error) {
	before, err := d.ledTo()
	if err != nil || before != nil {
		return d.promisedAs(s, before, nil, err)
	}
	return nil, stock.Refuse(stock.UnknownHold, "hold %x in store %d", hold, s.id)
}
