// Command holdfast-cloud runs the cloud of a retailer, and tells it things.
package main

import (
	"context"
	"fmt"
	"os"

	"holdfast.dev/cloud"
	"holdfast.dev/internal/process"
)

type commands struct {
	Run    cloud.Options       `cmd:"" help:"Run the cloud."`
	Import cloud.ImportOptions `cmd:"" help:"Add and change products from a CSV file."`
	Store  struct {
		Put     cloud.StoreOptions `cmd:"" help:"Create or change a store."`
		Admit   cloud.AdmitOptions `cmd:"" help:"Serve a store by one node: the one that stands there."`
		Renew   cloud.RenewOptions `cmd:"" help:"Take a store's own books for head office's copy: one that is set apart."`
		Fence   cloud.FenceOptions `cmd:"" help:"Shut a store's node out for ever: a stolen box."`
		Abandon cloud.FenceOptions `cmd:"" help:"Give a silent store up."`
		Void    cloud.VoidOptions  `cmd:"" help:"Take back a directive that a node does not know."`
	} `cmd:"" help:"Stores."`
	Bump         cloud.BumpOptions         `cmd:"" help:"Begin a new timeline after a restore from a backup."`
	RestoreOrder cloud.RestoreOrderOptions `cmd:"" help:"Bring back an order that a restored cloud has forgotten."`
	Join         cloud.JoinOptions         `cmd:"" help:"Make a one-time join string for a store's node."`

	Backup  cloud.BackupOptions  `cmd:"" help:"Copy a running cloud and its keys to a file."`
	Restore cloud.RestoreOptions `cmd:"" help:"Found a cloud with a backup, in an empty folder and a new timeline."`
	Verify  cloud.VerifyOptions  `cmd:"" help:"Prove a backup, or what a stopped process has: replay its commands and compare."`

	Keys struct {
		Rotate cloud.KeysOptions `cmd:"" help:"Make a new key for pickup codes; those of before stay good."`
		List   cloud.AdminAt     `cmd:"" help:"List the keys for pickup codes."`
	} `cmd:"" help:"Keys that pickup codes are signed with."`

	Members        cloud.AdminAt    `cmd:"" help:"List the processes of the cloud."`
	Remove         cloud.MemberWish `cmd:"" help:"Take a process out of the cloud for ever."`
	TransferLeader cloud.LeaderWish `cmd:"" help:"Let another process lead."`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "holdfast-cloud:", process.Explain(err))
		os.Exit(cloud.ExitCode(err))
	}
}

func run() error {
	var c commands
	loaded, err := process.Load("holdfast-cloud", os.Args[1:], &c)
	if err != nil {
		return err
	}
	ctx, stop := process.Signals(context.Background())
	defer stop()
	switch loaded.Command {
	case "import":
		return cloud.Import(ctx, c.Import, os.Stdout, os.Stderr)
	case "store put":
		return say(cloud.PutStore(ctx, c.Store.Put))
	case "join":
		return say(cloud.Join(ctx, c.Join))
	}
	if asked, sentence, err := operate(ctx, loaded.Command, &c); asked {
		return say(sentence, err)
	}
	log := c.Run.Log.Logger(os.Stderr)
	log.Info("configuration", loaded.LogAttrs()...)
	return cloud.Run(ctx, c.Run, log)
}

// operate does what operators do about stores, losses and the cloud's processes.
func operate(ctx context.Context, command string, c *commands) (asked bool, sentence string, err error) {
	switch command {
	case "store admit":
		sentence, err = cloud.Admit(ctx, c.Store.Admit)
	case "store renew":
		sentence, err = cloud.Renew(ctx, c.Store.Renew)
	case "store fence":
		sentence, err = cloud.Fence(ctx, c.Store.Fence)
	case "store abandon":
		sentence, err = cloud.Abandon(ctx, c.Store.Abandon)
	case "store void":
		sentence, err = cloud.Void(ctx, c.Store.Void)
	case "bump":
		sentence, err = cloud.Bump(ctx, c.Bump)
	case "restore-order":
		sentence, err = cloud.RestoreOrder(ctx, c.RestoreOrder)
	case "keys rotate":
		sentence, err = cloud.RotateKeys(c.Keys.Rotate)
	case "keys list":
		sentence, err = cloud.ListKeys(ctx, c.Keys.List)
	case "backup":
		sentence, err = cloud.Backup(ctx, c.Backup, os.Stderr)
	case "restore":
		sentence, err = cloud.Restore(ctx, c.Restore, os.Stderr)
	case "verify":
		sentence, err = cloud.Verify(ctx, c.Verify, os.Stderr)
	case "members":
		sentence, err = cloud.Members(ctx, c.Members)
	case "remove":
		sentence, err = cloud.RemoveMember(ctx, c.Remove)
	case "transfer-leader":
		sentence, err = cloud.TransferLeader(ctx, c.TransferLeader)
	default:
		return false, "", nil
	}
	return true, sentence, err
}

func say(sentence string, err error) error {
	if err == nil {
		fmt.Println(sentence)
	}
	return err
}
