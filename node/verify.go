package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"holdfast.dev/internal/identity"
	"holdfast.dev/internal/process"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/stock/journal"
)

// VerifyOptions say which node's books to prove.
type VerifyOptions struct {
	Data  string `help:"Folder of the node's database and identity." default:"/var/lib/holdfast/node"`
	Admin string `help:"Admin address of the node, which is asked while it runs." default:"127.0.0.1:8091"`
}

// Verify replays the journal from the first record, checks its chain, and
// compares what the records build with the books, row for row. A running node
// does it itself. It returns a sentence for people; a difference is an error.
func Verify(ctx context.Context, o VerifyOptions, progress io.Writer) (string, error) {
	report, err := verifyFile(ctx, o, progress)
	if errors.Is(err, journal.ErrLocked) {
		report, err = verifyRunning(ctx, o.Admin)
	}
	if err != nil {
		return "", err
	}
	if len(report.Mismatches) > 0 {
		return "", fmt.Errorf("the books differ from the journal:\n  %s", strings.Join(report.Mismatches, "\n  "))
	}
	return fmt.Sprintf("%d records replayed: %d rows in %d tables are as the journal says.",
		report.Records, report.Rows, report.Tables), nil
}

func verifyFile(ctx context.Context, o VerifyOptions, progress io.Writer) (r journal.Report, err error) {
	path := filepath.Join(o.Data, journalFile)
	// Opening would make one, and an empty journal proves itself.
	if _, err := os.Stat(path); err != nil {
		return r, fmt.Errorf("no journal of a node in %s: %w", o.Data, err)
	}
	id, err := identity.OpenNodeKey(o.Data)
	if err != nil {
		return r, err
	}
	machine := &shopfloor.Machine{Store: id.Peer().Store, Local: localTables()}
	j, err := journal.Open(ctx, journal.Options{Path: path, Machine: machine})
	if err != nil {
		return r, err
	}
	defer j.Close()
	bar := process.NewProgress(progress, "replay", int64(j.Head().Seq))
	defer bar.Close()
	shown := uint64(0)
	return j.Verify(ctx, func(done, _ uint64) {
		bar.Add(int64(done - shown))
		shown = done
	})
}

func verifyRunning(ctx context.Context, admin string) (r journal.Report, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+admin+"/verify", nil)
	if err != nil {
		return r, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return r, fmt.Errorf("ask the running node: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return r, fmt.Errorf("ask the running node: %s: %s", resp.Status, text)
	}
	return r, json.NewDecoder(resp.Body).Decode(&r)
}
