package main

import (
	"context"
	"errors"
	"fmt"

	"holdfast.dev/firmware-sim/display"
	"holdfast.dev/firmware-sim/labelprinter"
	"holdfast.dev/firmware-sim/locker"
	"holdfast.dev/firmware-sim/scale"
	"holdfast.dev/firmware-sim/wire"
	"holdfast.dev/internal/process"
)

// lineOptions are where a simulated device is plugged in, and where its page is.
type lineOptions struct {
	Link   string `help:"Name to point at the pseudo terminal." placeholder:"PATH"`
	TCP    string `name:"tcp" help:"Listen here for a host, instead of a pseudo terminal." placeholder:"HOST:PORT"`
	Listen string `help:"Address of the page and the API." default:"${page}"`
	Seed   uint64 `help:"Of the faults: the same seed and bytes give the same."`
}

// wire gives the options of the cable; without a speed of its own the device's.
func (o lineOptions) wire(baud, usual int) wire.Options {
	if baud == 0 && o.TCP == "" {
		baud = usual
	}
	return wire.Options{Link: o.Link, TCP: o.TCP, Baud: baud, Seed: o.Seed}
}

// serve shows a device's page until ctx ends, and then takes the device away.
func (o lineOptions) serve(ctx context.Context, p wire.Panel) (err error) {
	defer func() { err = errors.Join(err, p.Cable.Close()) }()
	listener, err := process.Listen("listen", o.Listen)
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	fmt.Printf("%s\nits line  %s\nits page  http://%s\n\nCtrl-C switches it off.\n",
		p.Title, p.Cable.Address(), address)
	return process.Run(ctx,
		process.Serve("page", process.HTTPServer(address, p.Handler()), listener))
}

type displayOptions struct {
	lineOptions `embed:"" set:"page=127.0.0.1:8073"`
	Dialect     string `help:"What it understands: epson or cd5220." enum:"epson,cd5220" default:"epson"`
	Baud        int    `help:"Speed of the line, 9600 unless given; unlimited on TCP."`
}

func (o displayOptions) run(ctx context.Context) error {
	d, err := display.Start(display.Options{Options: o.wire(o.Baud, 9600), Dialect: o.Dialect})
	if err != nil {
		return err
	}
	return o.serve(ctx, d.Panel())
}

type lockerOptions struct {
	lineOptions `embed:"" set:"page=127.0.0.1:8074"`
	Dialect     string `help:"What its boards speak: cu16, cu48 or board24." enum:"cu16,cu48,board24" default:"cu16"`
	Boards      []int  `help:"Addresses of its boards; one board unless given."`
	Doors       int    `help:"Doors of each board; as many as it can have unless given."`
	Pulled      bool   `help:"Doors have no spring: someone must pull them."`
	Reversed    bool   `help:"Sensors say open when a door is closed."`
	Legacy      bool   `help:"With cu16: the other layout of answers."`
	Baud        int    `help:"Speed of the line, 19200 or 9600 unless given; unlimited on TCP."`
}

func (o lockerOptions) run(ctx context.Context) error {
	usual := 19200
	if o.Dialect == locker.Board24 {
		usual = 9600
	}
	l, err := locker.Start(locker.Options{
		Options: o.wire(o.Baud, usual), Dialect: o.Dialect, Boards: o.Boards, Doors: o.Doors,
		Pulled: o.Pulled, Reversed: o.Reversed, Legacy: o.Legacy,
	})
	if err != nil {
		return err
	}
	return o.serve(ctx, l.Panel())
}

type scaleOptions struct {
	lineOptions `embed:"" set:"page=127.0.0.1:8075"`
	Protocol    string `help:"What it speaks: 8217 or dialog06." enum:"8217,dialog06" default:"8217"`
	Baud        int    `help:"Speed of the line, 9600 unless given; unlimited on TCP."`
}

func (o scaleOptions) run(ctx context.Context) error {
	s, err := scale.Start(scale.Options{Options: o.wire(o.Baud, 9600), Protocol: o.Protocol})
	if err != nil {
		return err
	}
	return o.serve(ctx, s.Panel())
}

type labelOptions struct {
	lineOptions `embed:"" set:"page=127.0.0.1:8076"`
	Speed       int    `help:"Speed of the labels in mm/s; 0 is at once." default:"100"`
	Chatty      bool   `help:"Answer for its state also when labels are out or the head is open."`
	Out         string `help:"Folder of the labels." default:"labels" placeholder:"DIR"`
	Baud        int    `help:"Speed of the line, 9600 unless given; unlimited on TCP."`
}

func (o labelOptions) run(ctx context.Context) error {
	p, err := labelprinter.Start(labelprinter.Options{
		Options: o.wire(o.Baud, 9600), Speed: o.Speed, Chatty: o.Chatty, OutDir: o.Out})
	if err != nil {
		return err
	}
	return o.serve(ctx, p.Panel())
}
