package escpos

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/receipt/session"
)

func heard(stream string) []answer {
	var parse answers
	var all []answer
	for i := range len(stream) {
		if a, ok := parse.next(stream[i]); ok {
			all = append(all, a)
		}
	}
	return all
}

func TestAnswersAreToldApart(t *testing.T) {
	one := func(kind answerKind, data ...byte) []answer {
		a := answer{kind: kind}
		copy(a.data[:], data)
		return []answer{a}
	}
	for _, c := range []struct {
		name, in string
		want     []answer
	}{
		{"idle", "\x12", one(realTime, 0x12)},
		{"idle, drawer pin high", "\x16", one(realTime, 0x16)},
		{"paper end", "\x7e", one(realTime, 0x7e)},
		{"automatic status", "\x14\x00\x00\x0f", one(autoStatus, 0x14, 0, 0, 0x0f)},
		{"XOFF within automatic status", "\x3c\x13\x00\x00\x11\x0f", []answer{
			{kind: flowOff}, {kind: flowOn}, {kind: autoStatus, data: [4]byte{0x3c, 0, 0, 0x0f}}}},
		{"process id", "\x37\x220001\x00", one(processID, []byte("0001")...)},
		{"XON within a process id", "\x37\x22\x110001\x00", []answer{
			{kind: flowOn}, {kind: processID, data: [4]byte([]byte("0001"))}}},
		{"a status cuts into a process id", "\x37\x2200\x1601\x00", []answer{
			{kind: realTime, data: [4]byte{0x16}}, {kind: processID,
				data: [4]byte([]byte("0001"))}}},
		{"process id with a byte too many", "\x37\x2200011\x00", one(text)},
		{"process id with a byte too few", "\x37\x22000\x00", one(text)},
		{"offline answer is no process id", "\x37\x230001\x00", one(text)},
		{"cleared", "\x37\x25\x00", one(cleared)},
		{"model", "\x5fTM-T88V\x00", one(text)},
		{"QR size", "\x37\x36200\x1f200\x1f1\x1f1\x00", one(text)},
		{"paper sensor", "\x0c", one(single, 0x0c)},
		{"wrong baud rate", "\x80\xfe", []answer{{kind: noise}, {kind: noise}}},
		{"a broken automatic status gives way", "\x10\x00\x12\x12", []answer{
			{kind: realTime, data: [4]byte{0x12}}, {kind: realTime, data: [4]byte{0x12}}}},
		{"a broken process id gives way", "\x37\x2200\x80\x37\x220001\x00", []answer{
			{kind: noise}, {kind: processID, data: [4]byte([]byte("0001"))}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := heard(c.in)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(answer{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConditionsAreReadFromTheirBits(t *testing.T) {
	type status = hardware.PrinterStatus
	for _, c := range []struct {
		name  string
		polls string // answers to DLE EOT 1 to 4, or "" if auto says it
		auto  [4]byte
		want  status
		fault error
	}{
		{"ready", "\x12\x12\x12\x12", [4]byte{0x10, 0, 0, 0x0f}, status{Online: true}, nil},
		{"drawer", "\x16\x12\x12\x12", [4]byte{0x14, 0, 0, 0},
			status{Online: true, DrawerOpen: true}, nil},
		{"near end", "\x12\x12\x12\x1e", [4]byte{0x10, 0, 3, 0},
			status{Online: true, PaperLow: true}, nil},
		{"paper out", "\x1a\x32\x12\x7e", [4]byte{0x18, 0, 0x0f, 0},
			status{PaperLow: true, PaperOut: true}, session.ErrPaperOut},
		{"end without near-end sensor", "\x1a\x32\x12\x72", [4]byte{0x18, 0, 0x0c, 0},
			status{PaperOut: true}, session.ErrPaperOut},
		{"cover", "\x1a\x16\x12\x12", [4]byte{0x38, 0, 0, 0}, status{CoverOpen: true},
			session.ErrCover},
		{"cutter", "\x1a\x52\x1a\x12", [4]byte{0x18, 8, 0, 0}, status{CutterError: true},
			session.ErrCutter},
		{"unrecoverable", "\x1a\x52\x32\x12", [4]byte{0x18, 0x20, 0, 0}, status{},
			session.ErrBroken},
		{"hot head", "\x1a\x52\x52\x12", [4]byte{0x18, 0x40, 0, 0}, status{}, session.ErrBroken},
		{"feed button", "\x5a\x1a\x12\x12", [4]byte{0x58, 2, 0, 0}, status{}, session.ErrOffline},
	} {
		t.Run(c.name, func(t *testing.T) {
			var polled, told session.Condition
			for i := range len(c.polls) {
				learn(&polled, i+1, c.polls[i], session.OpenHigh)
			}
			adopt(&told, c.auto, session.OpenHigh)
			for way, got := range map[string]session.Condition{"polled": polled, "told": told} {
				if diff := cmp.Diff(c.want, got.PrinterStatus); diff != "" {
					t.Errorf("%s: %s", way, diff)
				}
				if got.Fault() != c.fault {
					t.Errorf("%s: fault %v, want %v", way, got.Fault(), c.fault)
				}
			}
		})
	}
}

// FuzzAnswers claims that a fence is only heard when its seven bytes came in,
// and that no noise before it hides the next one for good.
func FuzzAnswers(f *testing.F) {
	f.Add("\x12\x37\x220001\x00\x10\x00")
	f.Add("\x37\x22\x37\x22AAAA\x00")
	f.Add("\x10\x80\x5f\x3d\x13\x11")
	f.Fuzz(func(t *testing.T, in string) {
		plain := ""
		for _, b := range []byte(in) {
			if b != xon && b != xoff && !(b < ' ' && b&0x93 == 0x12) {
				plain += string([]byte{b})
			}
		}
		for _, a := range heard(in) {
			if a.kind == processID && !contains(plain, "\x37\x22"+string(a.data[:])+"\x00") {
				t.Errorf("heard fence %q in %q", a.data, in)
			}
		}
		all := heard(in + "\x00\x00\x00\x00" + "\x37\x22last\x00")
		want := answer{kind: processID, data: [4]byte([]byte("last"))}
		if len(all) == 0 || all[len(all)-1] != want {
			t.Errorf("after %q the next fence was not heard", in)
		}
	})
}

func contains(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return true
		}
	}
	return false
}
