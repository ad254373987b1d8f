package headoffice

import (
	"context"
	"maps"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Engine is the sequencer that the cloud's servers talk to: one process's log
// or a quorum of them.
type Engine interface {
	// Propose returns what the command led to once it is durable and
	// applied; a refusal is a *stock.Refusal and nothing was recorded. The
	// engine stamps the time. The same request id gives the same result
	// again; with another content it is refused as IDReused.
	Propose(ctx context.Context, c *recordv1.Command) (*recordv1.Result, error)
	// View runs f on a snapshot of the tables.
	View(ctx context.Context, f func(tx *journal.Tx) error) error
	// Watch returns a channel that is closed at the next change that touches
	// the store: its directives, counters, reservations or session. With
	// AllStores, at the next change of what concerns all, such as the
	// catalogue. Take the channel, look, then wait: nothing is missed.
	Watch(store stock.StoreID) <-chan struct{}
}

// Encode makes a command's stored bytes. The zero command is refused: in the
// log it would be a fault.
func Encode(c *recordv1.Command) ([]byte, error) {
	if c.GetBody() == nil {
		return nil, badRequest("command", "a command without a body")
	}
	return encode.Marshal(c)
}

// Same tells whether two commands ask for the same, whenever and by whomever
// they were proposed. What a proposer makes up each time, the number and the
// code of a new reservation, does not count: a repeat gets the first ones.
func Same(a, b *recordv1.Command) bool { return proto.Equal(asked(a), asked(b)) }

func asked(c *recordv1.Command) *recordv1.Command {
	body := &recordv1.Command{Body: c.GetBody()}
	var shopper *recordv1.Shopper
	switch c.GetBody().(type) {
	case *recordv1.Command_Confirm:
		body = proto.CloneOf(body)
		body.GetConfirm().Reservation = nil
		shopper = body.GetConfirm().GetShopper()
	case *recordv1.Command_ReserveNow:
		body = proto.CloneOf(body)
		body.GetReserveNow().Reservation = nil
		shopper = body.GetReserveNow().GetShopper()
	}
	if shopper != nil {
		shopper.Code, shopper.PinHash = "", nil
	}
	return body
}

// Outcome decodes a stored result; a refusal in it becomes the error.
func Outcome(reply []byte) (*recordv1.Result, error) {
	r := new(recordv1.Result)
	if err := proto.Unmarshal(reply, r); err != nil {
		return nil, err
	}
	if r.GetRefused() == "" {
		return r, nil
	}
	code, known := stock.ParseCode(r.GetRefused())
	if !known {
		code = stock.FeatureRefused // of a newer member
	}
	return nil, &stock.Refusal{Code: code, Detail: r.GetDetail(), Args: maps.Clone(r.GetArgs())}
}
