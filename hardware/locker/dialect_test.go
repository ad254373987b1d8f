package locker

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestQuestionsAndPulsesAreThoseOfTheManuals(t *testing.T) {
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{cu16Ask(0, 1), "02 00 30 03 35"},
		{cu16Open(0, 1), "02 00 31 03 36"},
		{cu16Open(0, 5), "02 04 31 03 3A"},
		{cu16Open(1, 1), "02 10 31 03 46"},
		{cu48Ask(0, 1), "02 00 00 60 03 65"},
		{cu48Open(0, 1), "02 00 00 61 03 66"},
		{board24Ask(1, 1), "80 01 01 33 B3"},
		{board24Open(1, 11), "8A 01 0B 11 91"},
	} {
		if want := unhex(t, c.want); !bytes.Equal(c.got, want) {
			t.Errorf("got % X, want % X", c.got, want)
		}
	}
}

func TestAnswersAreReadAndDamageIsNot(t *testing.T) {
	cu16, cu48, board24 := Dialects[0], Dialects[1], Dialects[2]
	for _, c := range []struct {
		name          string
		d             Dialect
		board, lock   int
		heard         string
		found         bool
		closed, items uint64
	}{
		{"cu16", cu16, 0, 0, "02 00 35 FF FF 00 00 03 38", true, 0xffff, 0},
		{"cu16, other layout", cu16, 0, 0, "02 00 35 FF FF 03 00 00 38", true, 0xffff, 0},
		{"cu16, door 1 open, item in 2", cu16, 1, 0, "02 10 35 FE FF 02 00 03 49", true, 0xfffe, 2},
		{"cu16 behind its echo", cu16, 0, 0,
			"02 00 30 03 35 02 00 35 FF FF 00 00 03 38", true, 0xffff, 0},
		{"cu16, wrong sum", cu16, 0, 0, "02 00 35 FE FF 00 00 03 38", false, 0, 0},
		{"cu16 of another board", cu16, 1, 0, "02 00 35 FF FF 00 00 03 38", false, 0, 0},
		{"cu16 without its end", cu16, 0, 0, "02 00 35 FF FF 00 01 02 38", false, 0, 0},
		{"cu16, half", cu16, 0, 0, "02 00 35 FF FF 00 00 03", false, 0, 0},
		{"cu48", cu48, 2, 0, "02 02 00 75 06 FE FF FF FF FF 7F F8", true, 0x7ffffffffffe, 0},
		{"cu48, wrong sum", cu48, 2, 0, "02 02 00 75 06 FE FF FF FF FF 7F F9", false, 0, 0},
		{"cu48 refuses", cu48, 2, 0, "02 02 00 00 06 FE FF FF FF FF 7F 83", false, 0, 0},
		{"board24 closed", board24, 1, 3, "80 01 03 11 93", true, 1 << 2, 0},
		{"board24 open", board24, 1, 3, "80 01 03 00 82", true, 0, 0},
		{"board24 behind its echo", board24, 1, 3, "80 01 03 33 B1 80 01 03 00 82", true, 0, 0},
		{"board24, only its echo", board24, 1, 3, "80 01 03 33 B1", false, 0, 0},
		{"board24, answer to a pulse", board24, 1, 3, "8A 01 03 00 88", false, 0, 0},
		{"board24, wrong check", board24, 1, 3, "80 01 03 11 92", false, 0, 0},
	} {
		r, found := c.d.read(unhex(t, c.heard), c.board, c.lock)
		if found != c.found || found && (r.closed != c.closed || r.items != c.items) {
			t.Errorf("%s: found %v, closed %x, items %x", c.name, found, r.closed, r.items)
		}
	}
}

// scripted is a board24 whose door 1 answers each question with the next state.
func scripted(t *testing.T, states string) (*Locker, func() []hardware.DoorState) {
	t.Helper()
	port, far := hardwaretest.Pipe(time.Second)
	l, err := New(port, Config{Dialect: "board24", Boards: []Board{{Address: 1, Locks: 1}},
		OpenWait: time.Second, Poll: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		in := make([]byte, 5)
		for {
			if n, err := far.Read(in); err != nil || n != 5 {
				return
			}
			state := byte(board24Closed)
			if states != "" {
				if states[0] == 'o' {
					state = board24Opened
				}
				states = states[1:]
			}
			if in[0] == board24Status {
				far.Write(xored(board24Status, 1, 1, state))
			}
		}
	}()
	var told []hardware.DoorState
	ended := make(chan error, 1)
	go func() {
		ended <- l.Run(t.Context(), func(d hardware.DoorStatus) { told = append(told, d.State) })
	}()
	synctest.Wait()
	return l, func() []hardware.DoorState {
		far.Close()
		<-ended
		return told
	}
}

func TestAContactThatBouncesIsNotADoorThatOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A look, two looks before the pulse, the pulse itself, then a bounce.
		l, end := scripted(t, "cccccoccococ")
		if err := l.Open(t.Context(), hardware.Door{Board: 1, Lock: 1}); !errors.Is(err, ErrStuck) {
			t.Errorf("got %v, want ErrStuck", err)
		}
		end()
	})
}

func TestOneOddAnswerIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end := scripted(t, "coc")
		l.look(t.Context(), l.cfg.Boards[0])
		if told := end(); len(told) != 1 || told[0] != hardware.DoorClosed {
			t.Errorf("told %v, want closed once", told)
		}
	})
}

func TestAnOldReadingDoesNotUndoANewOne(t *testing.T) {
	l, err := New(nil, Config{Dialect: "board24", Boards: []Board{{Address: 1, Locks: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	var told []hardware.DoorState
	l.use(func(d hardware.DoorStatus) { told = append(told, d.State) })
	now := time.Now()
	l.learn(1, 1, 1, reading{closed: 1, at: now})
	l.learn(1, 1, 1, reading{closed: 0, at: now.Add(2)})
	l.learn(1, 1, 1, reading{closed: 1, at: now.Add(1)})
	l.learn(1, 1, 1, reading{silent: true, at: now.Add(1)})
	if len(told) != 2 || told[1] != hardware.DoorOpen {
		t.Errorf("told %v, want closed, open", told)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(unhex(f, "02 00 35 FF FF 00 00 03 38"), uint8(0))
	f.Add(unhex(f, "02 00 00 75 06 FE FF FF FF FF 7F 76"), uint8(1))
	f.Add(unhex(f, "80 01 03 11 93"), uint8(2))
	f.Fuzz(func(t *testing.T, heard []byte, which uint8) {
		d := Dialects[int(which)%len(Dialects)]
		r, found := d.read(heard, 1, 3)
		if !found && r != (reading{}) {
			t.Errorf("%s: % x is no answer and says %+v", d.Name, heard, r)
		}
		if found && d.single && r.closed&^(1<<2) != 0 {
			t.Errorf("%s: % x speaks of other locks: %x", d.Name, heard, r.closed)
		}
		// One turned bit in a good answer must not be believed.
		good := map[string][]byte{
			"cu16":    summed(stx, 0x10, cu16Answer, 0xfb, 0xff, 0, 0, etx),
			"cu48":    summed(stx, 1, 0, cu48Fine, cu48Data, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff),
			"board24": xored(board24Status, 1, 3, board24Opened),
		}[d.Name]
		if len(heard) > 1 {
			bad := bytes.Clone(good)
			bad[int(heard[0])%len(bad)] ^= 1 << (heard[1] % 8)
			if r, found := d.read(bad, 1, 3); found {
				t.Errorf("%s: % x is believed: %+v", d.Name, bad, r)
			}
		}
	})
}
