package shopfloor_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

var update = flag.Bool("update", false, "rewrite the scripts' expectations")

// TestScripts runs testdata/*.txt: a block is commands, "----" and what they
// print. A command that is refused prints the code; "show" prints the books of
// bread. See each file for what it claims.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{store: open(t), promises: map[string]*recordv1.Reserve{}, timeline: 1,
		seen: map[string]shopfloor.Seen{}}
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimRight(string(text), "\n"), "\n\n") {
		commands, want, _ := strings.Cut(block, "\n----\n")
		commands = strings.TrimSuffix(commands, "\n----")
		got := s.run(commands)
		if diff := cmp.Diff(strings.TrimSpace(want), got); diff != "" && !*update {
			t.Errorf("%s\n(-want +got):\n%s", commands, diff)
		}
		fmt.Fprintf(&out, "%s\n----\n%s\n\n", commands, got)
	}
	if *update {
		all := strings.TrimRight(out.String(), "\n") + "\n"
		if err := os.WriteFile(file, []byte(all), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if report, err := s.j.Verify(t.Context(), nil); err != nil || !report.OK() {
		t.Errorf("verify: %+v %v", report, err)
	}
}

// scene is a store, and the cloud as far as the store can see it.
type scene struct {
	*store
	promises map[string]*recordv1.Reserve
	timeline uint32
	seen     map[string]shopfloor.Seen // what tills remember
	spare    *store                    // what a box would be that was built when it was set aside
	sent     uint64                    // the last record that the spare box knows
	lost     [][]byte                  // records of the box that was lost
	blocked  uint64                    // directives that were sent and not applied
}

func (s *scene) run(commands string) string {
	var out strings.Builder
	for line := range strings.Lines(commands) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		verb, ok := verbs[words[0]]
		if !ok {
			s.t.Fatalf("verb %q", words[0])
		}
		text, err := verb(s, arguments{s.t, words[1:]})
		refusal, refused := stock.AsRefusal(err)
		switch {
		case refused:
			text = fmt.Sprintf("%s: refused %s", strings.TrimSpace(line), refusal.Code)
		case err != nil:
			s.t.Fatalf("%s: %v", strings.TrimSpace(line), err)
		}
		if text != "" {
			fmt.Fprintln(&out, text)
		}
	}
	return strings.TrimSpace(out.String())
}

// arguments of a command: words and, among them, name=value.
type arguments struct {
	t     *testing.T
	words []string
}

func (a arguments) word(i int) string { return a.words[i] }

func (a arguments) number(i int) int64 {
	n, err := strconv.ParseInt(a.words[i], 10, 64)
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

func (a arguments) named(name string) string {
	for _, w := range a.words {
		if v, ok := strings.CutPrefix(w, name+"="); ok {
			return v
		}
	}
	return ""
}

func (s *scene) cause(a arguments) shopfloor.Cause {
	if name := a.named("id"); name != "" {
		return shopfloor.Cause{ID: named(name)}
	}
	return shopfloor.Cause{ID: s.id()}
}

func named(name string) (id [16]byte) {
	copy(id[:], name)
	return id
}

// order sends the next directive.
func (s *scene) order(d *recordv1.Directive) error {
	d.Seq, d.Timeline = s.dseq+s.blocked+1, s.timeline
	n, err := s.ApplyDirectives(s.t.Context(), d.Seq, nil, [][]byte{marshal(s.t, d)})
	if stock.Refused(err, stock.FeatureRefused) {
		s.blocked++
		return err
	}
	if err == nil {
		s.dseq, s.blocked = n, 0
	}
	return err
}

// die puts the spare box in the place of the one that is lost.
func (s *scene) die() {
	_, s.lost = s.raws(s.sent)
	s.store, s.spare = s.spare, nil
}

func (s *scene) show() string {
	a := s.account(bread)
	var text strings.Builder
	for acct := ledger.Sellable; acct <= ledger.Found; acct++ {
		if n := a.Balances[acct]; n != 0 && acct != ledger.Supplier {
			fmt.Fprintf(&text, "%s %d ", acct, n)
		}
	}
	r := a.Rights
	return fmt.Sprintf("%sG/R/A %d/%d/%d %s", &text, r.Granted, r.Returned, r.Assigned,
		strings.TrimPrefix(s.Mode().String(), "NODE_MODE_"))
}

// stateOf says how far a promise is.
func (s *scene) stateOf(name string) (string, error) {
	text := name + " unknown"
	err := s.View(s.t.Context(), func(tx *journal.Tx) error {
		r, err := findReservation(tx, s.promises[name])
		if r != nil {
			text = name + " " + r.State().String()
			for p := reservation.Reserved; p <= reservation.Short; p++ {
				if n := r.Lines[0].At(p); n > 0 {
					text += fmt.Sprintf(" %s %d", partNames[p], n)
				}
			}
		}
		return err
	})
	return text, err
}
