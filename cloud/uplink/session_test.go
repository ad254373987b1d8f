package uplink

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

var update = flag.Bool("update", false, "rewrite the scripts with what the session does now")

// TestSessionFollowsItsScripts replays testdata/*.txt. A block is commands, a
// line of dashes, and what the session wants to be done then. Chance is always
// the largest, times are in milliseconds since the start.
func TestSessionFollowsItsScripts(t *testing.T) {
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

// script is a session and the words to drive it.
type script struct {
	t       *testing.T
	session *Session
	start   time.Time
	now     time.Time
	last    map[string]uint64 // number of the last proposal of each kind
	opened  uint64
	out     strings.Builder
}

var scriptNode = []byte("0123456789abcdef")

func newScript(t *testing.T) *script {
	start := time.UnixMilli(1_700_000_000_000)
	s := &script{t: t, start: start, now: start, last: map[string]uint64{}}
	s.session = NewSession(Config{Store: 7, Node: scriptNode, Member: "m1",
		Random: func(n int64) int64 { return n - 1 }})
	return s
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
	switch words[0] {
	case "after":
		s.now = s.now.Add(time.Duration(a.n("ms", 0)) * time.Millisecond)
		s.step(Tick{})
	case "opened":
		s.opened = a.n("session", 1)
		s.answer("open", a, &recordv1.Result{Body: &recordv1.Result_Session{
			Session: &recordv1.SessionResult{Session: s.opened, Timeline: 1,
				Epoch:      &recordv1.Epoch{Timeline: 1, Counter: 1},
				Mode:       recordv1.SessionMode_SESSION_MODE_NORMAL,
				ResumeFrom: a.n("resume", 1), DirectivesFrom: a.n("directives", 1)}}})
	case "looked":
		node := scriptNode
		if a["node"] == "other" {
			node = nil
		}
		s.step(Looked{Err: a.err(), Standing: Standing{Session: a.n("session", s.opened), Node: node,
			Epoch:      stock.Epoch{Timeline: 1, Counter: uint32(a.n("epoch", 1))},
			Timeline:   stock.Timeline(a.n("timeline", 1)),
			Directives: a.n("directives", 0), Catalogue: a.n("catalogue", 0), Keys: 3}})
	case "applied":
		s.answer("batch", a, &recordv1.Result{Body: &recordv1.Result_Batch{Batch: &recordv1.BatchResult{
			Applied: a.n("to", 0), ResumeFrom: a.n("resume", 0)}}})
	case "acked":
		s.answer("ack", a, &recordv1.Result{})
	case "returned":
		s.answer("return", a, &recordv1.Result{Body: &recordv1.Result_Quota{
			Quota: &recordv1.QuotaResult{ReturnedTotal: int64(a.n("total", 0))}}})
	case "chain":
		s.step(Read{Err: a.err(), Chain: Chain{From: a.n("from", 1), Data: make([][]byte, a.n("count", 1))}})
	case "asked":
		s.step(Asked{Wants: []*uplinkv1.Want{{Sku: 1, Target: int64(a.n("target", 1))}}})
	case "superseded":
		s.step(Superseded{})
	case "leaving":
		s.step(Leaving{Within: time.Duration(a.n("ms", 0)) * time.Millisecond})
	case "gone":
		s.step(Gone{})
	case "wake":
		fmt.Fprintf(&s.out, "wake in %d\n", s.session.Wake().Sub(s.now).Milliseconds())
	default:
		s.step(Received{Frame: s.frame(words[0], a)})
	}
}

func (s *script) answer(kind string, a args, r *recordv1.Result) {
	in := Proposed{Number: s.last[kind], Result: r, Err: a.err()}
	if in.Err != nil {
		in.Result = nil
	}
	s.step(in)
}

func (s *script) frame(name string, a args) *uplinkv1.NodeFrame {
	switch name {
	case "hello":
		h := &recordv1.Hello{CapVersion: 1, CapMin: uint32(a.n("min", 1)),
			Store: uint32(a.n("store", 7)), NodeId: scriptNode}
		if a["node"] == "other" {
			h.NodeId = make([]byte, len(scriptNode))
		}
		return &uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Hello{Hello: h}}
	case "batch":
		b := &uplinkv1.Batch{From: a.n("from", 1)}
		for range a.n("count", 1) {
			b.Records = append(b.Records, make([]byte, a.n("bytes", 100)))
		}
		return &uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Batch{Batch: b}}
	case "ack":
		return &uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Ack{
			Ack: &uplinkv1.DirectiveAck{Directive: a.n("directive", 0)}}}
	case "ping":
		return &uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Ping{Ping: &uplinkv1.Ping{WallMs: 5}}}
	case "return":
		return &uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_AskReturn{AskReturn: &uplinkv1.AskReturn{
			Wants: []*uplinkv1.Want{{Sku: 1, Target: int64(a.n("target", 1)), Timeline: 1, Request: []byte("r")}}}}}
	case "granted":
		return &uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_GrantAnswer{GrantAnswer: &uplinkv1.GrantAnswer{
			Got: []*uplinkv1.Got{{Sku: 1, Total: 4}}}}}
	case "blocked":
		return &uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Blocked{
			Blocked: &uplinkv1.Blocked{Directive: 9, Type: 99}}}
	case "digest":
		return &uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Digest{Digest: &uplinkv1.Digest{}}}
	case "bye":
		return &uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Bye{Bye: &uplinkv1.Bye{Reason: a["reason"]}}}
	case "unknown":
		return &uplinkv1.NodeFrame{}
	}
	s.t.Fatalf("no command %q", name)
	return nil
}

func (s *script) step(in Input) {
	for _, e := range s.session.Step(s.now, in) {
		fmt.Fprintf(&s.out, "%5d %s\n", s.now.Sub(s.start).Milliseconds(), s.describe(e))
	}
}

func (s *script) describe(e Effect) string {
	switch e := e.(type) {
	case Send:
		if d := e.Frame.GetDirectives(); d != nil {
			return fmt.Sprintf("send directives %d to %d", d.GetFrom(),
				d.GetFrom()+uint64(len(d.GetDirectives()))-1)
		}
		return "send " + strings.ReplaceAll(fmt.Sprint(e.Frame), "  ", " ")
	case Propose:
		return "propose " + s.describeCommand(e)
	case ReadDirectives:
		return fmt.Sprintf("read directives from %d", e.From)
	case Answered:
		return fmt.Sprintf("answered G is %d", e.Got[0].GetTotal())
	}
	return strings.TrimPrefix(fmt.Sprintf("%T %+v", e, e), "uplink.")
}

func (s *script) describeCommand(e Propose) string {
	switch b := e.Command.GetBody().(type) {
	case *recordv1.Command_OpenSession:
		s.last["open"] = e.Number
		return fmt.Sprintf("open session of store %d", b.OpenSession.GetHello().GetStore())
	case *recordv1.Command_ApplyBatch:
		s.last["batch"] = e.Number
		return fmt.Sprintf("batch %d to %d in session %d", b.ApplyBatch.GetFrom(),
			b.ApplyBatch.GetFrom()+uint64(len(b.ApplyBatch.GetRecords()))-1, b.ApplyBatch.GetSession())
	case *recordv1.Command_AckDirectives:
		s.last["ack"] = e.Number
		return fmt.Sprintf("ack of directive %d", b.AckDirectives.GetDirective())
	case *recordv1.Command_ReturnQuota:
		s.last["return"] = e.Number
		return fmt.Sprintf("return up to %d", b.ReturnQuota.GetTargetReturned())
	case *recordv1.Command_CloseSession:
		return fmt.Sprintf("close session %d", b.CloseSession.GetSession())
	}
	return fmt.Sprintf("%T", e.Command.GetBody())
}
