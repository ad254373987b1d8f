package bench

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeRqlited makes this test's program behave as rqlited does.
const fakeRqlited = "HOLDFAST_BENCH_RQLITED"

func TestMain(m *testing.M) {
	if os.Getenv(fakeRqlited) != "" {
		fmt.Fprintln(os.Stderr, serveAsRqlite(os.Args[1:]))
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "holdfast-bench-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv(programFolder, dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// serveAsRqlite executes what it is sent on a database in memory.
func serveAsRqlite(args []string) error {
	option := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		option[args[i]] = args[i+1]
	}
	if len(args)%2 == 0 || (option["-node-id"] == "1") == (option["-join"] != "") {
		return fmt.Errorf("called with %q", args)
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /db/execute", func(w http.ResponseWriter, r *http.Request) {
		var statements [][]any
		if err := json.NewDecoder(r.Body).Decode(&statements); err != nil || !r.URL.Query().Has("transaction") {
			http.Error(w, "not a transaction", http.StatusBadRequest)
			return
		}
		tx, err := db.BeginTx(r.Context(), nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer tx.Rollback()
		var results []map[string]any
		for _, s := range statements {
			changed, err := execute(r.Context(), tx, s)
			switch {
			case err != nil:
				results = append(results, map[string]any{"error": err.Error()})
			case changed == 0 && !strings.HasPrefix(s[0].(string), "CREATE"):
				results = append(results, map[string]any{"error": s[0].(string) + " changes nothing"})
			default:
				results = append(results, map[string]any{"rows_affected": changed})
			}
		}
		if err := tx.Commit(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"results": results})
	})
	return http.ListenAndServe(option["-http-addr"], mux)
}

func execute(ctx context.Context, tx *sql.Tx, statement []any) (int64, error) {
	for i, arg := range statement {
		if n, ok := arg.(float64); ok { // as JSON has it
			statement[i] = int64(n)
		}
	}
	done, err := tx.ExecContext(ctx, statement[0].(string), statement[1:]...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func TestRqliteIsMeasuredWhereItIs(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", fakeRqlited, self)
	if err := os.WriteFile(filepath.Join(path, rqliteProgram), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", path+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	o := Options{Only: "rqlite", Bin: programs(t), Out: &out}
	if err := run(t.Context(), o, tinySizes); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "reservations/s") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestRqliteThatIsNotThereIsSaid(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var out bytes.Buffer
	if err := run(t.Context(), Options{Only: "rqlite", Out: &out}, tinySizes); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "rqlited is not on PATH") {
		t.Errorf("got\n%s", out.String())
	}
}
