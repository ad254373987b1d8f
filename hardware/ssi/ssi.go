// Package ssi drives scanners that send each symbol as a packet of Zebra's
// Simple Serial Interface: checked, acknowledged, and sent again when lost.
//
// A packet is acknowledged after it was delivered, so a symbol that the host
// could not take makes the scanner complain instead of vanishing. The package
// is tested against the packets that manuals print and a simulator; no real
// scanner was at hand.
package ssi

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
)

// DefaultAnswerWait is the host response time-out that decoders come with.
const DefaultAnswerWait = 2 * time.Second

const (
	// characterGap is the silence after which a packet will not be completed:
	// the host character time-out of the protocol.
	characterGap = 200 * time.Millisecond
	// wakePause is how long a sleeping decoder needs after a byte woke it.
	wakePause = 15 * time.Millisecond
	// setUpEvery is how often at most a decoder is set up again that talks in
	// another way: one that lost its power has forgotten.
	setUpEvery = 10 * time.Second
	// lookEvery is how often Run looks whether the decoder's answer is late.
	lookEvery = 100 * time.Millisecond
)

// twoShortLow is a beep that sounds like no good read.
const twoShortLow = 0x06

// Config says how a scanner is set up. The zero value suits most.
type Config struct {
	// AsItIs leaves the scanner's settings alone. Otherwise Run asks it, until
	// it is switched off, for packets and AIM identifiers.
	AsItIs bool
	// AIM says whether symbols begin with an AIM identifier. It is told from
	// the type of a symbol where they do not.
	AIM      barcode.AIM
	MaxFrame int // longest symbol in bytes; zero: barcode.DefaultMaxFrame
	// MinRescan is as of barcode.Config.
	MinRescan time.Duration
	// AnswerWait is the host response time-out that the scanner is set to. What
	// it sends again is told from another symbol by it. Zero: the default.
	AnswerWait time.Duration
	// Heartbeat is how often an idle scanner is asked whether it is there; one
	// that does not answer is a fault. Zero never asks: a serial line then
	// does not notice that a scanner was switched off.
	Heartbeat time.Duration
}

// Scanner reads symbols from a port. It is a hardware.Scanner.
type Scanner struct {
	port       hardware.Port
	cfg        Config
	suppressed atomic.Uint64
	orders     chan *command
	ended      chan struct{} // closed when Run ends
}

// New makes a scanner of a port that is open. It serves one Run, which closes
// the port.
func New(port hardware.Port, cfg Config) *Scanner {
	if cfg.MaxFrame == 0 {
		cfg.MaxFrame = barcode.DefaultMaxFrame
	}
	if cfg.AnswerWait == 0 {
		cfg.AnswerWait = DefaultAnswerWait
	}
	return &Scanner{
		port: port, cfg: cfg, orders: make(chan *command), ended: make(chan struct{}),
	}
}

// Suppressed counts the reads that MinRescan dropped.
func (s *Scanner) Suppressed() uint64 { return s.suppressed.Load() }

// Refuse makes the scanner beep low, so that who scanned looks at the screen.
// It works while Run runs, and returns when the scanner has answered.
func (s *Scanner) Refuse(ctx context.Context) error {
	answered := make(chan error, 1)
	c := &command{
		name: "beep", opcode: opBeep, data: []byte{twoShortLow}, answer: opAck,
		done: func(err error) { answered <- err },
	}
	select {
	case s.orders <- c:
	case <-s.ended:
		return fmt.Errorf("beep: %w", hardware.ErrGone)
	case <-ctx.Done():
		return fmt.Errorf("beep: %w", ctx.Err())
	}
	select {
	case err := <-answered:
		return err
	case <-s.ended:
		return fmt.Errorf("beep: %w", hardware.ErrGone)
	case <-ctx.Done():
		return fmt.Errorf("beep: %w", ctx.Err())
	}
}

// Run delivers reads until ctx ends (nil) or the port fails (a fault). A
// symbol that was not complete by then is dropped.
func (s *Scanner) Run(ctx context.Context, deliver func(hardware.Read)) error {
	defer close(s.ended)
	ctx, cancel := context.WithCancel(ctx)
	chunks, failed := make(chan barcode.Chunk), make(chan error, 1)
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		failed <- barcode.Listen(ctx, s.port, chunks)
	}()
	defer func() {
		cancel()
		s.port.Close() // wakes Listen
		<-listened
	}()
	d := &dialogue{
		send: func(b []byte) error {
			_, err := s.port.Write(b)
			return err
		},
		deliver:  barcode.Distinct(deliver, s.cfg.MinRescan, &s.suppressed),
		maxFrame: s.cfg.MaxFrame, aim: s.cfg.AIM, wait: s.cfg.AnswerWait,
		stopping: func() bool { return ctx.Err() != nil },
	}
	c := conversation{s: s, d: d, todo: s.setUp(d)}
	if err := c.wake(ctx); err != nil {
		return err
	}
	return c.run(ctx, chunks, failed)
}

// setUp lists what the scanner is asked for first.
func (s *Scanner) setUp(d *dialogue) []*command {
	if s.cfg.AsItIs {
		return nil
	}
	const noBeep, packetFormat, packets, codeID, aimID = 0xFF, 0xEE, 1, 0x2D, 1
	return []*command{
		{
			name: "packet format", opcode: opParamSend, answer: opAck,
			data: []byte{noBeep, packetFormat, packets},
			done: func(err error) {
				if err != nil && d.broken == nil {
					d.broken = err
				}
			},
		},
		{
			name: "AIM identifiers", opcode: opParamSend, answer: opAck,
			data: []byte{noBeep, codeID, aimID},
			done: func(err error) {
				switch {
				case err == nil:
					d.aimSince = time.Now()
				case errors.Is(err, errDenied): // then the types of symbols must do
					d.aim = barcode.AIMNever
				}
			},
		},
	}
}

// conversation runs a dialogue on the clock.
type conversation struct {
	s        *Scanner
	d        *dialogue
	todo     []*command
	packets  assembler
	last     time.Time // when the last byte came in
	lastBeat time.Time
	lastSet  time.Time // when the decoder was asked to be set up
}

// wake wakes a decoder that sleeps.
func (c *conversation) wake(ctx context.Context) error {
	if c.s.cfg.AsItIs {
		return nil
	}
	if _, err := c.s.port.Write([]byte{0}); err != nil {
		return fmt.Errorf("wake scanner: %w", err)
	}
	pause := time.NewTimer(wakePause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	return nil
}

func (c *conversation) run(
	ctx context.Context, chunks <-chan barcode.Chunk, failed <-chan error,
) error {
	silence := time.NewTimer(characterGap)
	defer silence.Stop()
	c.lastBeat, c.lastSet = time.Now(), time.Now()
	for c.d.broken == nil {
		look, orders := c.next()
		select {
		case <-ctx.Done():
			return nil
		case chunk := <-chunks:
			c.take(chunk)
			silence.Reset(characterGap)
		case err := <-failed:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case <-silence.C:
			select {
			case chunk := <-chunks: // it came before the silence was noticed
				c.take(chunk)
				silence.Reset(characterGap)
			default:
				c.gap()
			}
		case order := <-orders:
			c.todo = append(c.todo, order)
		case <-look:
			c.d.late(time.Now())
		}
	}
	return fmt.Errorf("talk to scanner: %w", c.d.broken)
}

// next sends the next command if none is pending. It gives what to wait for:
// the answer's time, or further orders.
func (c *conversation) next() (look <-chan time.Time, orders <-chan *command) {
	if c.d.pending == nil && len(c.todo) > 0 {
		c.d.ask(c.todo[0], time.Now())
		c.todo = c.todo[1:]
	}
	if c.d.pending != nil {
		return time.After(lookEvery), nil
	}
	return c.heartbeat(), c.s.orders
}

// heartbeat asks an idle scanner whether it is there.
func (c *conversation) heartbeat() <-chan time.Time {
	if c.s.cfg.Heartbeat == 0 {
		return nil
	}
	left := time.Until(c.lastBeat.Add(c.s.cfg.Heartbeat))
	if left > 0 {
		return time.After(left)
	}
	c.lastBeat = time.Now()
	c.d.ask(&command{
		name: "revision", opcode: opRevision, answer: opRevisionIs,
		done: func(err error) {
			if err != nil && c.d.broken == nil {
				c.d.broken = err
			}
		},
	}, c.lastBeat)
	return time.After(lookEvery)
}

func (c *conversation) take(chunk barcode.Chunk) {
	if chunk.Waited >= characterGap {
		c.gap()
	}
	c.last, c.lastBeat = chunk.At, time.Now()
	c.packets.push(chunk.Data)
	for {
		p, ok := c.packets.next()
		if !ok {
			return
		}
		c.hear(p)
	}
}

// hear takes a packet. What was dropped before it needs no answer: a decoder
// that waited for one would not have sent this.
func (c *conversation) hear(p packet) {
	if first, total := c.packets.noise(); total > 0 {
		c.d.garbage(first, c.last)
		c.d.damaged += total
	}
	c.d.hear(p, c.last)
}

// gap says that nothing came for a while.
func (c *conversation) gap() {
	for {
		p, ok := c.packets.gap()
		if !ok {
			break
		}
		c.hear(p)
	}
	first, total := c.packets.noise()
	c.d.noise(first, total, c.last)
	busy := c.d.pending != nil || len(c.todo) > 0
	if total >= minPacket && !busy && time.Since(c.lastSet) > setUpEvery {
		c.todo, c.lastSet = c.s.setUp(c.d), time.Now()
	}
}
