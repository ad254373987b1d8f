package uplink

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

var update = flag.Bool("update", false, "rewrite the scripts with what the core does now")

// TestCoreFollowsItsScripts replays testdata/*.txt. A block is commands, a line
// of dashes, and what the core wants to be done then. Chance is always the
// largest, times are in milliseconds since the start.
func TestCoreFollowsItsScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, %v", files, err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := newScript(t).replay(string(text))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// script is a core with a small journal, and the words to drive it.
type script struct {
	t       *testing.T
	core    *Core
	start   time.Time
	now     time.Time
	entries []journal.Entry
	read    Read
	out     strings.Builder
}

func newScript(t *testing.T) *script {
	start := time.UnixMilli(1_700_000_000_000)
	return &script{t: t, start: start, now: start, core: NewCore(Config{Address: "cloud:8443",
		Random: func(n int64) int64 { return n - 1 }})}
}

func (s *script) replay(text string) string {
	var done strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		commands, _, _ := strings.Cut(block, "----")
		s.out.Reset()
		for line := range strings.Lines(commands) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				s.do(strings.Fields(line))
			}
		}
		fmt.Fprintf(&done, "%s\n----\n%s\n", strings.TrimSpace(commands), s.out.String())
	}
	return strings.TrimRight(done.String(), "\n") + "\n"
}

type args map[string]string

func (a args) n(name string, otherwise uint64) uint64 {
	text, ok := a[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (a args) err() error {
	text, ok := a["err"]
	if !ok {
		return nil
	}
	if code, known := stock.ParseCode(text); known {
		return stock.Refuse(code, "scripted")
	}
	return fmt.Errorf("%s", text)
}

func (s *script) do(words []string) {
	a := args{}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		a[key] = value
	}
	attempt := a.n("attempt", s.core.attempt)
	frame := func(f *uplinkv1.CloudFrame) { s.step(Received{Attempt: attempt, Frame: f}) }
	switch words[0] {
	case "after":
		s.now = s.now.Add(time.Duration(a.n("ms", 0)) * time.Millisecond)
		s.step(Tick{})
	case "journal": // grows without telling anybody
		s.grow(int(a.n("records", 1)), int(a.n("bytes", 100)), a["urgent"] != "")
	case "grew":
		s.grow(int(a.n("records", 1)), int(a.n("bytes", 100)), a["urgent"] != "")
		s.step(Grew{Head: uint64(len(s.entries))})
	case "dialed":
		s.step(Dialed{Attempt: attempt, Hello: &recordv1.Hello{Store: 7,
			Timeline: uint32(a.n("timeline", 1)), JournalLast: uint64(len(s.entries)),
			DirectivesApplied: a.n("directives", 0)}})
	case "lost":
		s.step(Lost{Attempt: attempt, Err: a.err()})
	case "greeted":
		s.step(Greeted{Attempt: attempt, Err: a.err()})
	case "recovered":
		s.step(Recovered{Attempt: attempt, Err: a.err()})
	case "read":
		s.step(s.readBack(a, attempt))
	case "applied":
		s.step(Applied{Attempt: attempt, Directive: a.n("to", 0), Err: a.err()})
	case "granted":
		s.step(Granted{Attempt: attempt, Err: a.err(), Got: []*uplinkv1.Got{
			{Sku: uint32(a.n("sku", 1)), Total: int64(a.n("total", 0))}}})
	case "acknowledged":
		s.step(Acknowledged{})
	case "ask":
		s.step(Ask{Head: uint64(a.n("head", 0)), Wants: []*uplinkv1.Want{{Sku: 1, Target: 5}}})
	case "state":
		st := s.core.State()
		fmt.Fprintf(&s.out, "%s since %d backlog %d acked %d session %d %s\n", st.Phase,
			st.Since.Sub(s.start).Milliseconds(), st.Backlog, st.Acked, st.Session, st.Refused)
	case "wake":
		fmt.Fprintf(&s.out, "wake in %d\n", s.core.Wake().Sub(s.now).Milliseconds())
	default:
		frame(s.frame(words[0], a))
	}
}

func (s *script) frame(name string, a args) *uplinkv1.CloudFrame {
	switch name {
	case "welcome":
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Welcome{Welcome: &uplinkv1.Welcome{
			Session: a.n("session", 1), Timeline: uint32(a.n("timeline", 1)),
			Mode: recordv1.SessionMode(a.n("mode", 1)), DirectivesFrom: a.n("directives", 1),
			ResumeFrom: a.n("resume", 1), CreditBytes: a.n("credit", 1<<20),
			FlushNormalMs: uint32(a.n("flush", 200)), HeartbeatMs: uint32(a.n("heartbeat", 5000)),
			CatalogueVersion: a.n("catalogue", 0)}}}
	case "reject":
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Reject{Reject: &uplinkv1.Reject{
			Code: a["code"], RetryAfterMs: uint32(a.n("after", 0))}}}
	case "ack":
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Ack{Ack: &uplinkv1.JournalAck{
			Seq: a.n("seq", 0), CreditBytes: a.n("credit", 1<<20)}}}
	case "nack":
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Nack{
			Nack: &uplinkv1.Nack{ResumeFrom: a.n("from", 0)}}}
	case "directives":
		d := &uplinkv1.Directives{From: a.n("from", 1)}
		for range a.n("count", 1) {
			raw, err := proto.Marshal(&recordv1.Directive{Seq: 1,
				Body: &recordv1.Directive_Keys{Keys: &recordv1.KeySet{}}})
			if err != nil {
				s.t.Fatal(err)
			}
			d.Directives = append(d.Directives, raw)
		}
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Directives{Directives: d}}
	case "want":
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_AskGrant{AskGrant: &uplinkv1.AskGrant{
			Wants: []*uplinkv1.Want{{Sku: uint32(a.n("sku", 1)), Target: int64(a.n("target", 1)),
				Timeline: uint32(a.n("timeline", 1))}}}}}
	case "answer":
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_ReturnAnswer{
			ReturnAnswer: &uplinkv1.ReturnAnswer{Got: []*uplinkv1.Got{{Sku: 1, Total: 5}}}}}
	case "pong":
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Pong{
			Pong: &uplinkv1.Pong{CatalogueVersion: a.n("catalogue", 0)}}}
	case "drain":
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Drain{
			Drain: &uplinkv1.Drain{AfterMs: uint32(a.n("ms", 0))}}}
	case "redirect":
		return &uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Redirect{
			Redirect: &uplinkv1.Redirect{Address: a["to"]}}}
	case "unknown":
		return &uplinkv1.CloudFrame{}
	}
	s.t.Fatalf("no command %q", name)
	return nil
}

func (s *script) grow(n, size int, urgent bool) {
	for range n {
		s.entries = append(s.entries, entry(s.t, s.entries, size, urgent))
	}
}

// entry makes the next record, of about a size.
func entry(t *testing.T, before []journal.Entry, size int, urgent bool) journal.Entry {
	t.Helper()
	seq := uint64(len(before) + 1)
	r := &recordv1.Record{Seq: seq, Actor: strings.Repeat("x", max(0, size-20)),
		Body: &recordv1.Record_Count{Count: &recordv1.Count{Sku: 1}}}
	if urgent {
		r.Body = &recordv1.Record_Grant{Grant: &recordv1.Grant{Sku: 1}}
	}
	data, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var prev journal.Hash
	if seq > 1 {
		prev = before[seq-2].Hash
	}
	return journal.Entry{Seq: seq, Data: data, Hash: journal.Chain(prev, seq, data)}
}

// readBack answers the last read, from the journal as it is now.
func (s *script) readBack(a args, attempt uint64) ReadBack {
	from := a.n("from", s.read.From)
	in := ReadBack{Attempt: attempt, From: from, Err: a.err()}
	size := 0
	for i := from; i <= uint64(len(s.entries)) && in.Err == nil; i++ {
		if len(in.Entries) == s.read.MaxEntries || size >= s.read.MaxBytes {
			break
		}
		in.Entries = append(in.Entries, s.entries[i-1])
		size += len(s.entries[i-1].Data)
	}
	return in
}

func (s *script) step(in Input) {
	for _, e := range s.core.Step(s.now, in) {
		if r, ok := e.(Read); ok {
			s.read = r
		}
		fmt.Fprintf(&s.out, "%5d %s\n", s.now.Sub(s.start).Milliseconds(), s.describe(e))
	}
}

func (s *script) describe(e Effect) string {
	switch e := e.(type) {
	case Send:
		return "send " + s.describeFrame(e.Frame)
	case Dial:
		return fmt.Sprintf("dial %s, attempt %d", e.Address, e.Attempt)
	case Hangup:
		return "hang up: " + e.Reason
	case Greet:
		return fmt.Sprintf("greet session %d", e.Welcome.GetSession())
	case Recover:
		return "recover: " + e.Welcome.GetMode().String()
	case Read:
		return fmt.Sprintf("read from %d", e.From)
	case Apply:
		return fmt.Sprintf("apply %d directives from %d", len(e.Directives.GetDirectives()),
			e.Directives.GetFrom())
	case Grant:
		return fmt.Sprintf("grant %d wants, first %v", len(e.Wants), e.Wants[0].GetTarget())
	case Answer:
		return fmt.Sprintf("answer R is %d", e.Got[0].GetTotal())
	}
	return fmt.Sprintf("%T %+v", e, e)
}

func (s *script) describeFrame(f *uplinkv1.NodeFrame) string {
	b := f.GetBatch()
	if b == nil {
		return strings.ReplaceAll(fmt.Sprint(f), "  ", " ")
	}
	s.checkBatch(b)
	return fmt.Sprintf("batch %d to %d", b.GetFrom(), b.GetFrom()+uint64(len(b.GetRecords()))-1)
}

// checkBatch claims what holds for every batch: it is a stretch of the journal
// with the hash of what is before it, and no longer than allowed.
func (s *script) checkBatch(b *uplinkv1.Batch) {
	var prev journal.Hash
	if b.GetFrom() > 1 {
		prev = s.entries[b.GetFrom()-2].Hash
	}
	if !bytes.Equal(prev[:], b.GetPrevHash()) {
		s.t.Errorf("batch from %d follows %x, want %s", b.GetFrom(), b.GetPrevHash(), prev)
	}
	size := 0
	for i, data := range b.GetRecords() {
		size += len(data)
		if !bytes.Equal(data, s.entries[b.GetFrom()-1+uint64(i)].Data) {
			s.t.Errorf("batch from %d: record %d is another one", b.GetFrom(), i)
		}
	}
	if n := len(b.GetRecords()); n > batchRecords || n > 1 && size > batchBytes {
		s.t.Errorf("batch of %d records, %d bytes", n, size)
	}
}

func TestUrgentRecordsAreThoseSomebodyWaitsFor(t *testing.T) {
	sale := func(mode recordv1.SaleMode) *recordv1.Record {
		return &recordv1.Record{Body: &recordv1.Record_Sale{Sale: &recordv1.Sale{Till: "t", Mode: mode,
			Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}}}}
	}
	cases := []struct {
		name   string
		record *recordv1.Record
		want   bool
	}{
		{"sale", sale(recordv1.SaleMode_SALE_MODE_NORMAL), false},
		{"borrowed sale", sale(recordv1.SaleMode_SALE_MODE_BORROW), true},
		{"grant", &recordv1.Record{Body: &recordv1.Record_Grant{Grant: &recordv1.Grant{}}}, true},
		{"accept", &recordv1.Record{Body: &recordv1.Record_Accept{Accept: &recordv1.Accept{}}}, true},
		{"collect", &recordv1.Record{Body: &recordv1.Record_Collect{Collect: &recordv1.Collect{}}}, true},
		{"token", &recordv1.Record{Body: &recordv1.Record_CollectByToken{
			CollectByToken: &recordv1.CollectByToken{}}}, true},
		{"release", &recordv1.Record{Body: &recordv1.Record_Release{Release: &recordv1.Release{}}}, true},
		{"shortage", &recordv1.Record{Body: &recordv1.Record_Shortage{Shortage: &recordv1.Shortage{}}}, true},
		{"timeline", &recordv1.Record{Body: &recordv1.Record_TimelineChange{
			TimelineChange: &recordv1.TimelineChange{}}}, true},
		{"count", &recordv1.Record{Body: &recordv1.Record_Count{Count: &recordv1.Count{}}}, false},
		{"receipt", &recordv1.Record{Body: &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{}}}, false},
		{"nothing", &recordv1.Record{}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.record.Seq, c.record.Uid, c.record.Actor = 5, make([]byte, 16), "ann"
			c.record.Epoch = &recordv1.Epoch{Timeline: 1, Counter: 2}
			data, err := proto.Marshal(c.record)
			if err != nil {
				t.Fatal(err)
			}
			if got := urgent(data); got != c.want {
				t.Errorf("urgent is %t, want %t", got, c.want)
			}
		})
	}
	if urgent(binary.AppendUvarint(nil, 1<<40)) || urgent([]byte{0x0a, 0xff}) {
		t.Error("bytes that are no record are urgent")
	}
}

func FuzzUrgentNeverPanics(f *testing.F) {
	f.Add([]byte{0xaa, 0x01, 0x02, 0x18, 0x02})
	f.Fuzz(func(_ *testing.T, data []byte) {
		urgent(data)
		bodyNumber(data)
	})
}
