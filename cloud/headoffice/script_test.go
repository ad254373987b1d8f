package headoffice_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

var update = flag.Bool("update", false, "rewrite the scripts' expectations")

// TestScripts runs testdata/*.txt: a block is commands, "----" and what they
// print. See each file for what it claims.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) { runScript(t, file, newScript(t)) })
		t.Run(name+"/every command recorded", func(t *testing.T) {
			runScript(t, file,
				newPlainScript(t))
		})
	}
}

func runScript(t *testing.T, file string, s *script) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimRight(string(text), "\n"), "\n\n") {
		commands, want, _ := strings.Cut(block, "\n----\n")
		commands = strings.TrimSuffix(commands, "\n----")
		got := s.run(commands)
		if got != strings.TrimSpace(want) && !*update {
			t.Errorf("%s\n(-want +got):\n%s", commands, cmp.Diff(strings.TrimSpace(want), got))
		}
		fmt.Fprintf(&out, "%s\n----\n%s\n\n", commands, got)
		if strings.TrimSpace(strings.ReplaceAll(commands, "#", "")) == "" {
			t.Errorf("an empty block")
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.mustHold()
}

// script is a cloud, and the nodes of stores as far as their journals go.
type script struct {
	t       *testing.T
	log     *engine.Engine // nil for a plain one
	propose func(c *recordv1.Command) string
	journal *journal.Journal
	nowMS   int64
	nodes   map[uint32]*node
	begin   func()   // with an empty log
	past    []moment // what was proposed to the present log
	saved   int      // of past, what the backup has
}

// moment is a command and when it was proposed.
type moment struct {
	nowMS   int64
	command *recordv1.Command
}

// node is a store's journal as its node would have written it.
type node struct {
	raw    [][]byte
	hashes []journal.Hash // hashes[n] is the chain after n records
	epoch  *recordv1.Epoch
}

func newScript(t *testing.T) *script {
	s := &script{t: t, nodes: make(map[uint32]*node), nowMS: 1000}
	s.begin = func() {
		log, err := engine.Open(t.Context(), engine.Options{
			Now: func() time.Time { return time.UnixMilli(s.nowMS) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { log.Close() })
		s.use(log)
	}
	s.begin()
	return s
}

// use lets the script talk to a log.
func (s *script) use(log *engine.Engine) {
	s.log, s.journal = log, log.Journal()
	s.propose = func(c *recordv1.Command) string {
		r, err := log.Propose(context.Background(), c)
		return answer(r, err)
	}
}

// newPlainScript talks to the machine in a journal that records whatever comes,
// also what would change nothing.
func newPlainScript(t *testing.T) *script {
	s := &script{t: t, nodes: make(map[uint32]*node), nowMS: 1000}
	s.begin = func() {
		j, err := journal.Open(t.Context(), journal.Options{Machine: &headoffice.Machine{}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { j.Close() })
		s.journal = j
		s.propose = func(c *recordv1.Command) string { return s.recordAsIs(j, c) }
	}
	s.begin()
	return s
}

// recordAsIs records a command as it is, whatever an engine would make of it.
func (s *script) recordAsIs(j *journal.Journal, c *recordv1.Command) string {
	c = &recordv1.Command{Now: s.nowMS, Version: headoffice.Version, Request: c.GetRequest(),
		Body: c.GetBody()}
	data, err := headoffice.Encode(c)
	if err != nil {
		return answer(nil, err)
	}
	out, err := j.Append(context.Background(), journal.Proposal{
		Decide: func(*journal.Tx, uint64) ([]byte, error) { return data, nil }})
	if err != nil {
		return answer(nil, err)
	}
	r, err := headoffice.Outcome(out.Reply)
	return answer(r, err)
}

// command proposes c and remembers it for a backup.
func (s *script) command(c *recordv1.Command) string {
	s.past = append(s.past, moment{s.nowMS, c})
	return s.propose(c)
}

// restore puts the backup back: what was proposed since is forgotten.
func (s *script) restore() {
	past, now := s.past[:s.saved], s.nowMS
	s.begin()
	for _, m := range past {
		s.nowMS = m.nowMS
		s.propose(m.command)
	}
	s.past, s.nowMS = past, now
}

// mustHold checks that the log works and, where nobody was hostile, the invariants hold.
func (s *script) mustHold() {
	if err := s.journal.Err(); err != nil {
		s.t.Fatalf("the log stopped: %v", err)
	}
	s.view(func(tx *journal.Tx) error {
		results, err := headoffice.CheckInvariants(tx)
		for _, r := range results {
			if len(r.Violations) > 0 && !strings.Contains(s.t.Name(), "hostile") {
				s.t.Errorf("%s does not hold: %v", r.Name, r.Violations)
			}
		}
		return err
	})
}

func (s *script) run(commands string) string {
	var out strings.Builder
	in := bufio.NewScanner(strings.NewReader(commands))
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		if text := s.verb(verb, rest); text != "" {
			fmt.Fprintln(&out, text)
		}
	}
	return strings.TrimSpace(out.String())
}

func (s *script) verb(verb, rest string) string {
	switch verb {
	case "at":
		s.nowMS = s.number(rest)
		return ""
	case "do":
		return s.do(rest)
	case "log":
		return s.record(rest)
	case "send":
		return s.send(rest)
	case "salvage":
		return s.salvage(rest)
	case "hello":
		return s.hello(rest)
	case "show":
		return s.show(rest)
	case "backup":
		s.saved = len(s.past)
		return ""
	case "restore":
		s.restore()
		return ""
	}
	s.t.Fatalf("verb %q", verb)
	return ""
}

func (s *script) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

var nameRE = regexp.MustCompile(`\$\$?\w+`)

// names turns $x into an id of 16 bytes and $$x into a hash of 32.
func names(text string) string {
	return nameRE.ReplaceAllStringFunc(text, func(name string) string {
		b := id(strings.TrimLeft(name, "$"))
		if strings.HasPrefix(name, "$$") {
			sum := sha256.Sum256(b)
			b = sum[:]
		}
		var q strings.Builder
		for _, c := range b {
			fmt.Fprintf(&q, `\%03o`, c)
		}
		return `"` + q.String() + `"`
	})
}

func id(name string) []byte {
	b := make([]byte, 16)
	copy(b, name)
	return b
}

func (s *script) parse(text string, m proto.Message) {
	if err := prototext.Unmarshal([]byte(names(text)), m); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}

func (s *script) do(text string) string {
	c := new(recordv1.Command)
	s.parse(text, c)
	return s.command(c)
}

func answer(r *recordv1.Result, err error) string {
	if err != nil {
		return refusal(err)
	}
	return describe(r)
}

func refusal(err error) string {
	r, ok := stock.AsRefusal(err)
	if !ok {
		return "FAULT " + err.Error()
	}
	text := "refused " + r.Error()
	for _, name := range []string{"side", "what", "limit", "gtin", "product", "available", "wanted",
		"short", "since", "state"} {
		if v, ok := r.Args[name]; ok {
			text += fmt.Sprintf(" %s=%s", name, v)
		}
	}
	return strings.ReplaceAll(text, "\x00", "")
}

func (s *script) node(store uint32) *node {
	n, ok := s.nodes[store]
	if !ok {
		n = &node{hashes: []journal.Hash{{}}, epoch: &recordv1.Epoch{Timeline: 1, Counter: 1}}
		s.nodes[store] = n
	}
	return n
}

// record appends to a node's journal: "log STORE RECORD".
func (s *script) record(text string) string {
	store, rest, _ := strings.Cut(text, " ")
	n := s.node(uint32(s.number(store)))
	r := new(recordv1.Record)
	s.parse(rest, r)
	if r.Seq == 0 {
		r.Seq = uint64(len(n.raw) + 1)
	}
	if r.Hlc == 0 {
		r.Hlc = uint64(s.nowMS) << 16
	}
	r.Epoch = n.epoch
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		s.t.Fatal(err)
	}
	n.add(data)
	return ""
}

// salvage brings what a former box had recorded: "salvage STORE RECORD".
func (s *script) salvage(text string) string {
	store, rest, _ := strings.Cut(text, " ")
	r := new(recordv1.Record)
	s.parse("epoch { timeline: 1 counter: 1 } "+rest, r)
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.command(&recordv1.Command{Body: &recordv1.Command_SalvageUpload{
		SalvageUpload: &recordv1.SalvageUpload{Store: uint32(s.number(store)), Epoch: r.Epoch,
			Records: [][]byte{data}}}})
}

func (n *node) add(data []byte) {
	n.raw = append(n.raw, data)
	n.hashes = append(n.hashes, journal.Chain(n.hashes[len(n.hashes)-1], uint64(len(n.raw)), data))
}

// options reads "a=1 b=2" with defaults.
func (s *script) options(text string, into map[string]string) {
	for _, f := range strings.Fields(text) {
		k, v, _ := strings.Cut(f, "=")
		if _, known := into[k]; !known {
			s.t.Fatalf("option %q", k)
		}
		into[k] = v
	}
}

// send proposes a batch of a node's journal: "send STORE session=N from=N to=N".
func (s *script) send(text string) string {
	store, rest, _ := strings.Cut(text, " ")
	n := s.node(uint32(s.number(store)))
	o := map[string]string{"session": "1", "from": "1", "to": fmt.Sprint(len(n.raw)), "prev": "",
		"garble": ""}
	s.options(rest, o)
	from, to := s.number(o["from"]), s.number(o["to"])
	b := &recordv1.ApplyBatch{Store: uint32(s.number(store)), Session: uint64(s.number(o["session"])),
		From: uint64(from), Records: bytesClone(n.raw[from-1 : to])}
	prev := n.hashes[from-1]
	b.PrevHash = prev[:]
	if o["prev"] != "" {
		b.PrevHash = id(o["prev"])
	}
	if o["garble"] != "" {
		i := s.number(o["garble"]) - from
		b.Records[i] = append(b.Records[i], 0)
	}
	return s.command(&recordv1.Command{Body: &recordv1.Command_ApplyBatch{ApplyBatch: b}})
}

func bytesClone(raw [][]byte) [][]byte {
	all := make([][]byte, len(raw))
	for i, b := range raw {
		all[i] = bytes.Clone(b)
	}
	return all
}

// hello opens a session for a node as it stands: "hello STORE [d=N] [acked=N]
// [last=N] ; HELLO", where HELLO overrides what the node would say.
func (s *script) hello(text string) string {
	store, rest, _ := strings.Cut(text, " ")
	rest, over, _ := strings.Cut(rest, ";")
	number := uint32(s.number(store))
	n := s.node(number)
	o := map[string]string{"d": "0", "acked": "0", "last": fmt.Sprint(len(n.raw))}
	s.options(rest, o)
	last := uint64(s.number(o["last"]))
	h := &recordv1.Hello{CapVersion: 1, CapMin: 1, Store: number, NodeId: id(fmt.Sprintf("node%d",
		number)),
		Epoch: n.epoch, Timeline: 1, JournalFirst: min(last, 1), JournalLast: last,
		JournalHash: n.hashes[last][:], JournalAcked: uint64(s.number(o["acked"])),
		DirectivesApplied: uint64(s.number(o["d"])), Mode: recordv1.NodeMode_NODE_MODE_NORMAL}
	for back := uint64(1); back < last; back *= 2 {
		h.Marks = append(h.Marks, &recordv1.LogMark{Seq: last - back, Hash: n.hashes[last-back][:]})
	}
	more := new(recordv1.Hello)
	s.parse(over, more)
	if more.Epoch != nil {
		h.Epoch = nil
	}
	proto.Merge(h, more)
	if first := h.JournalFirst; len(h.JournalFirstHash) == 0 && first < uint64(len(n.hashes)) {
		h.JournalFirstHash = n.hashes[first][:]
	}
	if len(h.DirectivesHash) == 0 {
		h.DirectivesHash = s.directiveHash(h)
	}
	said := s.command(&recordv1.Command{Body: &recordv1.Command_OpenSession{
		OpenSession: &recordv1.OpenSession{Hello: h, Member: "m"}}})
	if m := newEpoch.FindStringSubmatch(said); m != nil { // a node that recovers takes it over
		n.epoch = &recordv1.Epoch{Timeline: uint32(s.number(m[1])), Counter: uint32(s.number(m[2]))}
	}
	return said
}

var newEpoch = regexp.MustCompile(`epoch (\d+)\.(\d+) mode [23]`)

// directiveHash is the chain after the directives that a node says it has applied.
func (s *script) directiveHash(of *recordv1.Hello) []byte {
	var h journal.Hash
	s.view(func(tx *journal.Tx) error {
		c := headoffice.Cursor{Store: stock.StoreID(of.GetStore()),
			Timeline: stock.Timeline(of.GetTimeline()), After: of.GetDirectivesApplied()}
		_, known, err := headoffice.DirectivesAfter(tx, c, 1)
		if err == nil { // else the node knows more than the cloud
			h = known
		}
		return nil
	})
	return h[:]
}

func (s *script) view(f func(tx *journal.Tx) error) {
	s.t.Helper()
	if err := s.journal.View(context.Background(), f); err != nil {
		s.t.Fatal(err)
	}
}
