package quorum

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Members ask each other in frames: length, number of the request, one byte,
// payload. The byte is the question's kind, or how the answer ended. Answers
// come in any order.
const (
	askPropose  = 1 + iota // apply a batch of proposals; the leader does
	askIndex               // how far must a copy be to be fresh? The leader knows
	askTerm                // what is your term?
	askStatus              // how are you?
	askJoin                // take me in; the leader does
	askRemove              // put this member out; the leader does
	askTransfer            // let another member lead; the leader does
	askListed              // am I a member? The leader knows
	askService             // whatever the member's owner serves
)

const (
	answerOK        = 1 + iota
	answerNotLeader // nothing happened; the payload is the leader's address
	answerRefused   // the payload is a refusal
	answerUnknown   // it may have happened
	answerFault     // it did not happen; the payload is a text
)

const (
	frameHead   = 4 + 8 + 1
	maxFrame    = 64 << 20 // one large command must fit
	maxAsked    = 256      // questions of one connection that are worked on
	writeWithin = 5 * time.Second
	deafAfter   = 2 * time.Second
)

// notLeaderError says that nothing was recorded, and perhaps who leads.
type notLeaderError struct{ leader string }

// Error gives the sentence.
func (e *notLeaderError) Error() string { return "this member does not lead" }

var errNotLeader error = &notLeaderError{}

func notLeader(err error) bool {
	_, is := errors.AsType[*notLeaderError](err)
	return is
}

// peers holds one connection to each member that is asked.
type peers struct {
	hub *hub // nil: nobody can be asked

	mu   sync.Mutex
	open map[string]*peer // guarded by mu
}

// peer is a connection to one member.
type peer struct {
	conn  net.Conn
	heard atomic.Int64 // when the last answer came, Unix milliseconds

	mu      sync.Mutex
	last    uint64                 // guarded by mu: number of the newest question
	waiting map[uint64]chan answer // guarded by mu; nil: the connection ended
	writing sync.Mutex
}

type answer struct {
	status  byte
	payload []byte
}

// ask asks the member at addr. An error that wraps journal.ErrUnknown means
// that the question may have been served; any other, that it was not.
func (p *peers) ask(ctx context.Context, addr string, kind byte, payload []byte) ([]byte, error) {
	c, err := p.get(ctx, addr)
	if err != nil {
		return nil, err
	}
	number, reply, err := c.expect()
	if err != nil {
		p.drop(addr, c)
		return nil, err
	}
	defer c.forget(number)
	if err := c.send(number, kind, payload); err != nil {
		p.drop(addr, c)
		return nil, fmt.Errorf("%w: ask %s: %w", journal.ErrUnknown, addr, err)
	}
	select {
	case a, ok := <-reply:
		if !ok {
			p.drop(addr, c)
			return nil, fmt.Errorf("%w: %s hung up", journal.ErrUnknown, addr)
		}
		return a.open(addr)
	case <-ctx.Done():
		if time.Since(time.UnixMilli(c.heard.Load())) > deafAfter {
			p.drop(addr, c) // half a connection keeps no one waiting twice
		}
		return nil, fmt.Errorf("%w: ask %s: %w", journal.ErrUnknown, addr, ctx.Err())
	}
}

// open turns an answer into what it says.
func (a answer) open(addr string) ([]byte, error) {
	switch a.status {
	case answerOK:
		return a.payload, nil
	case answerNotLeader:
		return nil, &notLeaderError{leader: string(a.payload)}
	case answerRefused:
		r := new(stock.Refusal)
		if err := json.Unmarshal(a.payload, r); err != nil {
			return nil, fmt.Errorf("refusal of %s: %w", addr, err)
		}
		return nil, r
	case answerUnknown:
		return nil, fmt.Errorf("%w: %s: %s", journal.ErrUnknown, addr, a.payload)
	}
	return nil, fmt.Errorf("member %s: %s", addr, a.payload)
}

// answerWith turns the end of a question into a frame's byte and payload.
func answerWith(payload []byte, err error) (status byte, out []byte) {
	if err == nil {
		return answerOK, payload
	}
	if no, is := errors.AsType[*notLeaderError](err); is {
		return answerNotLeader, []byte(no.leader)
	}
	if refusal, is := stock.AsRefusal(err); is {
		text, err := json.Marshal(refusal)
		if err != nil {
			return answerFault, []byte(err.Error())
		}
		return answerRefused, text
	}
	if errors.Is(err, journal.ErrUnknown) {
		return answerUnknown, []byte(err.Error())
	}
	return answerFault, []byte(err.Error())
}

func (p *peers) get(ctx context.Context, addr string) (*peer, error) {
	p.mu.Lock()
	c := p.open[addr]
	p.mu.Unlock()
	if c != nil {
		return c, nil
	}
	if p.hub == nil {
		return nil, errNetClosed
	}
	conn, err := p.hub.dial(ctx, addr, greetPeer)
	if err != nil {
		return nil, fmt.Errorf("reach member %s: %w", addr, err)
	}
	c = &peer{conn: conn, waiting: make(map[uint64]chan answer)}
	c.heard.Store(time.Now().UnixMilli())
	p.mu.Lock()
	if other := p.open[addr]; other != nil { // somebody was faster
		p.mu.Unlock()
		conn.Close()
		return other, nil
	}
	p.open[addr] = c
	p.mu.Unlock()
	go func() { // ends with the connection
		c.listen()
		p.drop(addr, c)
	}()
	return c, nil
}

// drop forgets a connection that ended.
func (p *peers) drop(addr string, c *peer) {
	p.mu.Lock()
	if p.open[addr] == c {
		delete(p.open, addr)
	}
	p.mu.Unlock()
	c.conn.Close()
}

// expect makes room for an answer.
func (c *peer) expect() (uint64, chan answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		return 0, nil, errNetClosed
	}
	c.last++
	reply := make(chan answer, 1)
	c.waiting[c.last] = reply
	return c.last, reply, nil
}

func (c *peer) forget(number uint64) {
	c.mu.Lock()
	delete(c.waiting, number)
	c.mu.Unlock()
}

func (c *peer) send(number uint64, kind byte, payload []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(writeWithin))
	return writeFrame(c.conn, number, kind, payload)
}

// listen hands out answers until the connection ends.
func (c *peer) listen() {
	in := bufio.NewReader(c.conn)
	for {
		number, status, payload, err := readFrame(in)
		c.heard.Store(time.Now().UnixMilli())
		c.mu.Lock()
		if err != nil {
			for _, reply := range c.waiting {
				close(reply)
			}
			c.waiting = nil
			c.mu.Unlock()
			return
		}
		reply := c.waiting[number]
		delete(c.waiting, number)
		c.mu.Unlock()
		if reply != nil {
			reply <- answer{status: status, payload: payload}
		}
	}
}

func writeFrame(w io.Writer, number uint64, kind byte, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("a frame of %d bytes, limit %d", len(payload), maxFrame)
	}
	b := make([]byte, 0, frameHead+len(payload))
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint64(b, number)
	b = append(append(b, kind), payload...)
	_, err := w.Write(b)
	return err
}

func readFrame(r io.Reader) (number uint64, kind byte, payload []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return 0, 0, nil, fmt.Errorf("a frame of %d bytes, limit %d", size, maxFrame)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(r, payload)
	return binary.BigEndian.Uint64(head[4:]), head[12], payload, err
}

// servePeer answers the questions of one connection until it ends.
func (m *Member) servePeer(conn net.Conn) {
	select {
	case <-m.started:
	case <-m.ctx.Done():
		return
	}
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	var wait sync.WaitGroup
	defer wait.Wait()
	var writing sync.Mutex
	working := make(chan struct{}, maxAsked)
	in := bufio.NewReader(conn)
	for {
		number, kind, payload, err := readFrame(in)
		if err != nil {
			cancel()
			return
		}
		working <- struct{}{}
		wait.Go(func() {
			defer func() { <-working }()
			status, out := answerWith(m.answer(ctx, kind, payload))
			writing.Lock()
			defer writing.Unlock()
			conn.SetWriteDeadline(time.Now().Add(writeWithin))
			if writeFrame(conn, number, status, out) != nil {
				conn.Close()
			}
		})
	}
}
