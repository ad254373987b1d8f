package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"holdfast.dev/firmware-sim/demodata"
	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/internal/process"
)

type scannerOptions struct {
	Mode      string        `help:"How symbols are sent." enum:"plain,ssi" default:"plain"`
	Link      string        `help:"Name to point at the pseudo terminal." placeholder:"PATH"`
	TCP       string        `name:"tcp" help:"Serve a host here instead." placeholder:"HOST:PORT"`
	Baud      int           `help:"Speed of the line." default:"9600"`
	Prefix    string        `help:"What is sent before each symbol."`
	Suffix    suffix        `help:"Sent after each: crlf, cr, lf, tab, etx, none." default:"crlf"`
	AIM       bool          `name:"aim" help:"Send the AIM identifier before each symbol."`
	Handshake bool          `help:"In plain mode: wait for ACK or NAK after each symbol."`
	Products  string        `help:"CSV: code or gtin, name, aim; or the demo's." placeholder:"FILE"`
	Listen    string        `help:"Address of the page and the API." default:"127.0.0.1:8071"`
	Faults    scannerFaults `embed:"" prefix:"fault-"`
	Seed      uint64        `help:"Of the faults: the same seed and scans give the same."`
}

// scannerFaults are shares of symbols from 0 to 1, but for the last two.
type scannerFaults struct {
	Split      float64       `help:"Symbols that come in pieces." placeholder:"0..1"`
	Merge      float64       `help:"Symbols that come together with the next." placeholder:"0..1"`
	Garbage    float64       `help:"Symbols with noise before them." placeholder:"0..1"`
	Damage     float64       `help:"Symbols that the line damages." placeholder:"0..1"`
	DropAnswer float64       `help:"The host's answers that get lost." placeholder:"0..1"`
	RefuseHost float64       `help:"The host's commands that are refused." placeholder:"0..1"`
	Double     float64       `help:"Symbols that are scanned twice." placeholder:"0..1"`
	WrongCheck float64       `help:"Symbols whose last digit is misread." placeholder:"0..1"`
	Slow       time.Duration `help:"Pause after each byte."`
	HalfOpen   bool          `help:"Nothing is heard, on a line that does not say so."`
}

// suffix is what ends a symbol, by its name.
type suffix string

// Validate says what the name cannot be.
func (s suffix) Validate() error {
	if _, ok := suffixes[s]; !ok {
		return fmt.Errorf("suffix %q is none of crlf, cr, lf, tab, etx, none", s)
	}
	return nil
}

var suffixes = map[suffix]string{
	"crlf": "\r\n", "cr": "\r", "lf": "\n", "tab": "\t", "etx": "\x03", "none": "",
}

// run runs one scanner until ctx ends.
func (o scannerOptions) run(ctx context.Context) error {
	products, err := o.products()
	if err != nil {
		return err
	}
	listener, err := process.ListenWeb("listen", o.Listen, process.TLSFiles{})
	if err != nil {
		return err
	}
	s, err := scanner.Start(scanner.Options{
		Mode: scanner.Mode(o.Mode), Link: o.Link, TCP: o.TCP, Baud: o.Baud, Prefix: o.Prefix,
		Suffix: suffixes[o.Suffix], NoSuffix: o.Suffix == "none", SendAIM: o.AIM,
		Handshake: o.Handshake,
	})
	if err != nil {
		listener.Close()
		return err
	}
	defer s.Close()
	if err := s.SetFaults(o.faults()); err != nil {
		listener.Close()
		return err
	}
	address := listener.Addr().String()
	fmt.Printf("The scanner's line is %s.\nScan at http://%s, or by\n\n"+
		"  curl -d code=4006381333931 http://%s/scan\n\nCtrl-C switches it off.\n",
		s.Path(), address, address)
	page := scanner.NewControl(s, products)
	return process.Run(ctx,
		process.Serve("page", process.HTTPServer(address, page.Handler()), listener))
}

func (o scannerOptions) faults() scanner.Faults {
	f := o.Faults
	return scanner.Faults{
		Seed: o.Seed, Split: f.Split, Merge: f.Merge, Garbage: f.Garbage, Damage: f.Damage,
		DropAnswer: f.DropAnswer, RefuseHost: f.RefuseHost, Double: f.Double,
		WrongCheck: f.WrongCheck, Slow: f.Slow, HalfOpen: f.HalfOpen,
	}
}

// products are what there is to scan.
func (o scannerOptions) products() ([]scanner.Product, error) {
	var from io.Reader = bytes.NewReader(demodata.Products())
	if o.Products != "" {
		file, err := os.Open(o.Products)
		if err != nil {
			return nil, fmt.Errorf("open products: %w", err)
		}
		defer file.Close()
		from = file
	}
	return scanner.ReadProducts(from)
}
