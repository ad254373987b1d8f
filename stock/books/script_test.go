package books_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// machine books records by the rules of the script and keeps what it noted.
type machine struct {
	rules books.Rules
	noted []books.Anomaly
}

func (m *machine) Migrations() []string {
	return []string{books.Migration(), books.RecoveryMigration()}
}

func (m *machine) Apply(tx *journal.Tx, _ uint64, data []byte) ([]byte, error) {
	var rec recordv1.Record
	if err := proto.Unmarshal(data, &rec); err != nil {
		return nil, err
	}
	b := books.Open(tx, 1)
	if err := b.Apply(&rec, m.rules); err != nil {
		return nil, err
	}
	m.noted = append(m.noted, b.Anomalies()...)
	return nil, b.Save()
}

// TestScripts books the records of each script in testdata and compares what
// the books then say. Each line is one record; its answer stands below it,
// indented: a refusal, or the accounts and reservations that it touched.
func TestScripts(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(text), got); diff != "" && !*update {
				t.Errorf("answers differ (-want +got):\n%s", diff)
			}
		})
	}
}

func play(t *testing.T, text string) string {
	m := &machine{rules: books.Strict}
	j, err := journal.Open(t.Context(), journal.Options{Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { j.Close() }()
	var out strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "  "):
			continue
		case strings.TrimSpace(line) == "" || line[0] == '#':
			out.WriteString(line)
			continue
		case strings.TrimSpace(line) == "rules total":
			m.rules = books.Total
			out.WriteString(line)
			continue
		case strings.TrimSpace(line) == "rebuild":
			out.WriteString(line)
			j = rebuild(t, m, j)
			show(t, j, &out)
			continue
		}
		out.WriteString(line)
		m.noted = nil
		rec := parse(t, strings.Fields(line))
		_, err := j.Append(t.Context(), journal.Proposal{Decide: func(_ *journal.Tx, seq uint64) ([]byte, error) {
			rec.Seq, rec.Hlc = seq, seq<<16
			return proto.Marshal(rec)
		}})
		if err != nil {
			if _, refused := stock.AsRefusal(err); !refused {
				t.Fatalf("%s: %v", strings.TrimSpace(line), err)
			}
			fmt.Fprintf(&out, "  refused: %v\n", err)
			continue
		}
		for _, a := range m.noted {
			fmt.Fprintf(&out, "  anomaly: %s: %s\n", a.Code, a.What)
		}
		show(t, j, &out)
	}
	return out.String()
}

// rebuild makes the books of j anew, in another journal, from a checkpoint.
func rebuild(t *testing.T, m *machine, j *journal.Journal) *journal.Journal {
	var parts []*recordv1.Checkpoint
	err := j.View(t.Context(), func(tx *journal.Tx) (err error) {
		parts, err = books.Checkpoint(tx, 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	next, err := journal.Open(t.Context(), journal.Options{Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		_, err := next.Append(t.Context(), journal.Proposal{Decide: func(_ *journal.Tx, seq uint64) ([]byte, error) {
			return proto.Marshal(&recordv1.Record{Seq: seq, Hlc: seq << 16,
				Body: &recordv1.Record_Checkpoint{Checkpoint: p}})
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	return next
}

// show prints every account and every reservation.
func show(t *testing.T, j *journal.Journal, out *strings.Builder) {
	err := j.View(t.Context(), func(tx *journal.Tx) error {
		accounts, err := books.Accounts(tx, 1, 0, 100)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			fmt.Fprintf(out, "  sku %d:", a.SKU)
			for acct := ledger.Sellable; acct <= ledger.Writeoff; acct++ {
				if n := a.Balances[acct]; n != 0 {
					fmt.Fprintf(out, " %s=%d", acct, n)
				}
			}
			r := a.Rights
			fmt.Fprintf(out, " G/R/A=%d/%d/%d\n", r.Granted, r.Returned, r.Assigned)
			if a.Balances.Sum() != 0 {
				t.Errorf("sku %d: accounts sum to %d", a.SKU, a.Balances.Sum())
			}
		}
		legacy, err := books.LegacyRows(tx, 1, 100)
		if err != nil {
			return err
		}
		for _, l := range legacy {
			fmt.Fprintf(out, "  sku %d: %d of timeline %d\n", l.SKU, l.Rights.Online(), l.Rights.Timeline)
		}
		open, err := books.OpenReservations(tx, 1, 100)
		if err != nil {
			return err
		}
		done, err := books.FinishedReservations(tx, 1, 100)
		for _, r := range append(open, done...) {
			fmt.Fprintf(out, "  %s: %s\n", r.Reserve.GetCode(), r.State())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// parse reads one record: verb and arguments such as sku=1 n=2 r=a line=1.
func parse(t *testing.T, words []string) *recordv1.Record {
	args := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		args[k] = v
	}
	num := func(name string) int64 {
		n, _ := strconv.ParseInt(args[name], 10, 64)
		return n
	}
	if words[0] == "salvage" { // what follows is the record of the former box
		return salvage(t, parse(t, words[1:]))
	}
	build, ok := verbs[words[0]]
	if !ok {
		t.Fatalf("no verb %q", words[0])
	}
	rec := build(args, num)
	if args["epoch"] != "" {
		rec.Epoch = &recordv1.Epoch{Timeline: 1, Counter: uint32(num("epoch"))}
	}
	return rec
}

func salvage(t *testing.T, fact *recordv1.Record) *recordv1.Record {
	raw, err := proto.Marshal(fact)
	if err != nil {
		t.Fatal(err)
	}
	return &recordv1.Record{Body: &recordv1.Record_Salvage{Salvage: &recordv1.Salvage{
		OldEpoch: fact.GetEpoch(), Fact: raw}}}
}

func id(name string) []byte {
	b := make([]byte, 16)
	copy(b, name)
	return b
}

// reserve reads lines as 1:2,3:1 (sku:units), of timeline t, 1 if there is none.
func reserve(args map[string]string) *recordv1.Reserve {
	timeline, _ := strconv.Atoi(args["t"])
	r := &recordv1.Reserve{Reservation: id(args["r"]), Timeline: uint32(max(1, timeline)), Code: args["r"],
		PickupUntil: 99}
	for i, l := range strings.Split(args["lines"], ",") {
		sku, n, _ := strings.Cut(l, ":")
		s, _ := strconv.Atoi(sku)
		u, _ := strconv.Atoi(n)
		r.Lines = append(r.Lines, &recordv1.ReservedLine{Line: uint32(i + 1), Sku: uint32(s), Units: int64(u)})
	}
	return r
}

func outcome(args map[string]string, key string) []*recordv1.OutcomeLine {
	if args[key] == "" {
		return nil
	}
	var all []*recordv1.OutcomeLine
	for _, l := range strings.Split(args[key], ",") {
		line, n, _ := strings.Cut(l, ":")
		i, _ := strconv.Atoi(line)
		u, _ := strconv.Atoi(n)
		all = append(all, &recordv1.OutcomeLine{Line: uint32(i), Units: int64(u)})
	}
	return all
}

type builder = func(args map[string]string, num func(string) int64) *recordv1.Record

var verbs = map[string]builder{
	"receipt": func(a map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{Document: a["doc"],
			Position: uint32(n("pos")), Lines: line(n)}}}
	},
	"sale": func(a map[string]string, n func(string) int64) *recordv1.Record {
		sale := &recordv1.Sale{Mode: recordv1.SaleMode(recordv1.SaleMode_value["SALE_MODE_"+strings.ToUpper(a["mode"])]),
			Lines: []*recordv1.SaleLine{{Sku: uint32(n("sku")), Units: n("n")}}}
		if n("found") > 0 {
			sale.Found = []*recordv1.MovementLine{{Sku: uint32(n("sku")), Units: n("found")}}
		}
		if a["r"] != "" {
			sale.Bumped = []*recordv1.Shortage{{Reservation: id(a["r"]), Line: 1, Units: n("bump"),
				Reason: recordv1.ShortReason_SHORT_REASON_BUMPED}}
		}
		return &recordv1.Record{Body: &recordv1.Record_Sale{Sale: sale}}
	},
	"refund": func(a map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Refund{Refund: &recordv1.Refund{Lines: line(n),
			Damaged: a["damaged"] == "yes"}}}
	},
	"count": func(_ map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Count{Count: &recordv1.Count{Sku: uint32(n("sku")), Delta: n("delta")}}}
	},
	"damage": func(a map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Damage{Damage: &recordv1.Damage{Sku: uint32(n("sku")),
			Units: n("n"), WrittenOff: a["written_off"] == "yes"}}}
	},
	"reshelve": func(_ map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Reshelve{Reshelve: &recordv1.Reshelve{Sku: uint32(n("sku")), Units: n("n")}}}
	},
	"transfer_out": func(a map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_TransferOut{TransferOut: &recordv1.TransferOut{Document: a["doc"],
			Lines: line(n), Gone: a["gone"] == "yes"}}}
	},
	"grant": func(_ map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Grant{Grant: &recordv1.Grant{Sku: uint32(n("sku")),
			Units: n("n"), GrantedTotal: n("total")}}}
	},
	"return": func(_ map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_ApplyReturn{ApplyReturn: &recordv1.ApplyReturn{Sku: uint32(n("sku")),
			Units: n("n"), ReturnedTotal: n("total")}}}
	},
	"accept": func(a map[string]string, _ func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Accept{Accept: &recordv1.Accept{Reserve: reserve(a)}}}
	},
	"token": func(a map[string]string, _ func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_CollectByToken{CollectByToken: &recordv1.CollectByToken{
			Reserve: reserve(a), Lines: outcome(a, "hand"), Uncovered: outcome(a, "uncovered")}}}
	},
	"pick": func(a map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Pick{Pick: &recordv1.Pick{Reservation: id(a["r"]),
			Line: uint32(n("line")), Units: n("n"), Undo: a["undo"] == "yes"}}}
	},
	"stage": func(a map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Stage{Stage: &recordv1.Stage{Reservation: id(a["r"]),
			Line: uint32(n("line")), Units: n("n"), Shelf: "SHELF-A1", Undo: a["undo"] == "yes"}}}
	},
	"collect": func(a map[string]string, _ func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Collect{Collect: &recordv1.Collect{Reservation: id(a["r"]),
			Lines: outcome(a, "lines")}}}
	},
	"release": func(a map[string]string, _ func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Release{Release: &recordv1.Release{Reservation: id(a["r"]),
			Lines:  outcome(a, "lines"),
			Reason: recordv1.ReleaseReason(recordv1.ReleaseReason_value["RELEASE_REASON_"+strings.ToUpper(a["reason"])])}}}
	},
	"short": func(a map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Shortage{Shortage: &recordv1.Shortage{Reservation: id(a["r"]),
			Line: uint32(n("line")), Units: n("n"), Reason: recordv1.ShortReason_SHORT_REASON_MISSING}}}
	},
	"replace": func(a map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Replace{Replace: &recordv1.Replace{Reservation: id(a["r"]),
			Line: uint32(n("line")), Units: n("n")}}}
	},
	"drain": func(_ map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_DrainLegacy{DrainLegacy: &recordv1.DrainLegacy{
			Timeline: uint32(n("t")), Sku: uint32(n("sku")), Units: n("n")}}}
	},
	"timeline": func(_ map[string]string, n func(string) int64) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_TimelineChange{TimelineChange: &recordv1.TimelineChange{Timeline: uint32(n("to"))}}}
	},
}

func line(n func(string) int64) []*recordv1.MovementLine {
	return []*recordv1.MovementLine{{Sku: uint32(n("sku")), Units: n("n")}}
}
