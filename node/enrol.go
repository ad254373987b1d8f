package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/internal/identity"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
)

// EnrolOptions say which join string to redeem, and where the node will live.
type EnrolOptions struct {
	Data  string `help:"Folder of the node's database and identity." default:"/var/lib/holdfast/node"`
	Join  string `arg:"" help:"One-time join string from head office."`
	Cloud string `help:"host:port of the cloud, several with commas; the join string's unless given." placeholder:"HOST:PORT"`
}

// Enrol makes this machine the node of the store that a join string names. The
// key is made here and never leaves; after a crash the same call is repeated.
// It returns a sentence for the person who typed it.
func Enrol(ctx context.Context, o EnrolOptions) (string, error) {
	join, err := identity.ParseJoin(o.Join)
	if err != nil {
		return "", err
	}
	if o.Cloud != "" {
		join.Addr = o.Cloud
	}
	if err := ensureData(o.Data); err != nil {
		return "", err
	}
	id, err := identity.OpenNodeKey(o.Data)
	if err != nil {
		return "", err
	}
	if id.Enrolled() {
		return "", fmt.Errorf("the node in %s already belongs to store %d", o.Data, id.Peer().Store)
	}
	info, err := uplink.Enrol(ctx, id, join)
	if err != nil {
		return "", err
	}
	if err := saveStoreInfo(o.Data, info); err != nil {
		return "", err
	}
	return fmt.Sprintf("This node is now the node of store %d, %s in %s. Start it with holdfast-node run --data %s.",
		info.GetStore(), info.GetName(), info.GetTown(), o.Data), nil
}

const storeFile = "store.json"

// storeInfo is what receipts and pages say of the store.
type storeInfo struct {
	Name, Town, Street, Currency, Timezone, Language string
}

// zone tells how far the store's wall time is ahead of UTC, in ms.
func (s storeInfo) zone() func(ms int64) int64 {
	place, err := time.LoadLocation(s.Timezone)
	if err != nil {
		place = time.UTC
	}
	return func(ms int64) int64 {
		_, offset := time.UnixMilli(ms).In(place).Zone()
		return int64(offset) * 1000
	}
}

// saveStoreInfo replaces the file at once, so that a crash leaves the old one.
func saveStoreInfo(dir string, s *recordv1.StoreInfo) error {
	raw, err := json.Marshal(storeInfo{Name: s.GetName(), Town: s.GetTown(), Street: s.GetStreet(),
		Currency: s.GetCurrency(), Timezone: s.GetTimezone(), Language: s.GetLanguage()})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, storeFile)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("save the store's details: %w", err)
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save the store's details: %w", err)
	}
	return os.Rename(path+".new", path)
}

func loadStoreInfo(dir string) (s storeInfo, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, storeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil // enrolled, and stopped before the details were saved
	}
	if err != nil {
		return s, fmt.Errorf("read the store's details: %w", err)
	}
	return s, json.Unmarshal(raw, &s)
}

// nodeID turns the textual id into the 16 bytes that records carry.
func nodeID(id identity.NodeID) (raw shopfloor.ID, err error) {
	b, err := hex.DecodeString(string(id))
	if err != nil || len(b) != len(raw) {
		return raw, fmt.Errorf("node id %q", id)
	}
	copy(raw[:], b)
	return raw, nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) // a reader that went away needs no answer
}
