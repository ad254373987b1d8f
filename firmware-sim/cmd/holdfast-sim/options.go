package main

import (
	"fmt"
	"os"
	"path/filepath"

	"holdfast.dev/firmware-sim/demo"
)

type demoOptions struct {
	Data        string `help:"Folder that everything is kept in (.demo; a temporary one with --once)." placeholder:"DIR"`
	Bin         string `help:"Folder of holdfast-cloud and holdfast-node; the one of this program unless given." placeholder:"DIR"`
	Catalogue   string `help:"CSV of products instead of the demo's own." placeholder:"FILE"`
	Stores      int    `help:"How many stores." default:"3"`
	Cloud       int    `help:"How many processes the cloud has: 1, 3 or 5." default:"1"`
	Once        bool   `help:"Run the acceptance journey on data and ports of its own, and end."`
	JSON        bool   `name:"json" help:"With --once: print the result as one JSON object."`
	ShopPort    int    `help:"Port of storefront and shopper API." default:"8080"`
	NodesPort   int    `help:"Port that the nodes connect to." default:"8443"`
	AdminPort   int    `help:"Port of head office." default:"8081"`
	MembersPort int    `help:"Port where the cloud's processes reach each other; all ports of the others are 1000 apart." default:"8444"`
	KioskPort   int    `help:"Port of the first store; the others are 100 apart, their checks one above." default:"8090"`
	ConsolePort int    `help:"Port of the demo's console." default:"8070"`
}

// keptIn is where a demo keeps its data unless told.
const keptIn = ".demo"

type resetOptions struct {
	Data string `help:"Folder of the demo." default:".demo" placeholder:"DIR"`
}

func (o resetOptions) run() error {
	if err := demo.Reset(o.Data); err != nil {
		return err
	}
	fmt.Println("The demo starts over.")
	return nil
}

// room is how the demo is set up, before what differs with --once.
func (o demoOptions) room() (demo.Options, error) {
	bin := o.Bin
	if bin == "" {
		self, err := os.Executable()
		if err != nil {
			return demo.Options{}, fmt.Errorf("find this program's folder: %w", err)
		}
		bin = filepath.Dir(self)
	}
	return demo.Options{Bin: bin, Data: o.Data, Catalogue: o.Catalogue, Stores: o.Stores, Members: o.Cloud,
		Ports: demo.Ports{Shop: o.ShopPort, Nodes: o.NodesPort, Admin: o.AdminPort, Members: o.MembersPort,
			Kiosk: o.KioskPort, Console: o.ConsolePort}}, nil
}
