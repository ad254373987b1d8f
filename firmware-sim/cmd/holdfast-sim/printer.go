package main

import (
	"context"
	"errors"
	"fmt"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/internal/process"
)

// printerOptions are one receipt printer alone.
type printerOptions struct {
	TCP      string `name:"tcp" help:"Listen here, as printers do on port 9100; without it a pseudo terminal." placeholder:"HOST:PORT"`
	Link     string `help:"Symbolic link to the pseudo terminal." placeholder:"FILE"`
	Language string `help:"What it understands." enum:"escpos,starprnt,star-line" default:"escpos"`
	Dots     int    `help:"Dots per line: 576, 512, 420 or 384." default:"576"`
	Baud     int    `help:"Speed of the line; 0 is unlimited." default:"0"`
	Speed    int    `help:"Speed of the paper in mm/s; 0 is at once." default:"150"`
	Buffer   int    `help:"Bytes of its receive buffer." default:"65536"`
	Flow     string `help:"What it does when that is full: let the line wait, say XOFF, or lose bytes." enum:"hold,xon,none" default:"hold"`
	Drawer   string `help:"Level of the drawer's switch when open; mute has no switch, none no drawer." enum:"high,low,mute,none" default:"high"`
	NoProof  bool   `help:"Never say that something was printed."`
	Mute     bool   `help:"Say nothing at all."`
	Listen   string `help:"Address of the page and the API." default:"127.0.0.1:8072" aliases:"page"`
	Out      string `help:"Folder of the receipts." default:"receipts" placeholder:"DIR"`
}

// run runs the printer and its page until ctx ends.
func (o printerOptions) run(ctx context.Context) (err error) {
	flow := printer.Flow(o.Flow)
	if o.Flow == "hold" {
		flow = printer.FlowHold
	}
	p, err := printer.Start(printer.Options{
		TCP: o.TCP, Link: o.Link, Language: o.Language, Dots: o.Dots, Baud: o.Baud, Speed: o.Speed,
		Buffer: o.Buffer, OutDir: o.Out,
		Model: printer.Model{Flow: flow, Drawer: printer.DrawerSwitch(o.Drawer), Mute: o.Mute,
			NoProcessID: o.NoProof, NoSensor: o.NoProof},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	listener, err := process.Listen("listen", o.Listen)
	if err != nil {
		return err
	}
	fmt.Printf("Receipt printer, %s\nits line  %s\nits page  http://%s\nreceipts  %s\n\nCtrl-C switches it off.\n",
		o.Language, p.State().Address, listener.Addr(), o.Out)
	return process.Run(ctx, process.Serve("page", process.HTTPServer(o.Listen, p.Handler()), listener))
}
