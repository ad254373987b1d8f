package star

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware/receipt/session"
)

const idle = "\x23\x06\x00\x00\x00\x00\x00\x00\x00"

func heard(stream string) (all []answer) {
	var parse answers
	for i := range len(stream) {
		if a, ok := parse.next(stream[i]); ok {
			all = append(all, a)
		}
	}
	return all
}

func state(bytes string) answer {
	a := answer{kind: status}
	copy(a.state[:], bytes)
	return a
}

func TestAnswersAreToldApart(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []answer
	}{
		{"idle", idle, []answer{state(idle)}},
		{"seven bytes", "\x0f\x06\x08\x00\x00\x08\x00",
			[]answer{state("\x0f\x06\x08\x00\x00\x08\x00")}},
		{"XOFF within a status", "\x23\x06\x13\x00\x00\x11\x00\x00\x00\x00\x00",
			[]answer{{kind: flowOff}, {kind: flowOn}, state(idle)}},
		{"a group", "\x1b\x1d\x03\x0101\x02\x00",
			[]answer{{kind: passed, group: [2]byte{'0', '1'}}}},
		{"a group whose counter looks like flow", "\x1b\x1d\x03\x01\x11\x13\x02\x00",
			[]answer{{kind: passed, group: [2]byte{0x11, 0x13}}}},
		{"a broken group gives way", "\x1b\x1d\x03" + idle, []answer{{kind: noise}, state(idle)}},
		{"a broken status gives way", "\x23\x06\x00" + idle, []answer{{kind: noise}, state(idle)}},
		{"a length that none has", "\x03\x00", []answer{{kind: noise}, {kind: noise}}},
		{"wrong speed", "\xff\x80", []answer{{kind: noise}, {kind: noise}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, heard(c.in), cmp.AllowUnexported(answer{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBlocksAreCountedAlsoAroundTheEnd(t *testing.T) {
	p := Profile{BackChannel: true, Fence: ByCounter}
	d := newDialect(p)
	var c session.Condition
	hear := func(blocks int) {
		counter := byte(blocks&0x18<<2 | blocks&0x07<<1)
		for _, b := range []byte(idle[:counterByte] + string(rune(counter)) + "\x00") {
			d.Hear(b, -1, &c)
		}
	}
	hear(30)
	for i, after := range []int{31, 0, 1} {
		d.Fence()
		if d.Passed() {
			t.Errorf("fence %d passed before it was answered", i)
		}
		hear(after)
		if !d.Passed() {
			t.Errorf("fence %d did not pass at block %d", i, after)
		}
	}
	d.Fence() // its answer is late
	d.Fence()
	hear(2)
	if d.Passed() {
		t.Error("the answer to a fence that was given up passed for the next one")
	}
	hear(3)
	if !d.Passed() {
		t.Error("the fence did not pass")
	}
}

// FuzzAnswers claims that a group is only heard when its eight bytes came in,
// and that no noise before it hides the next one for good.
func FuzzAnswers(f *testing.F) {
	f.Add(idle)
	f.Add("\x1b\x1d\x03\x01\x1b\x1d\x03\x01ab\x00\x00")
	f.Add("\x2f\x00\x11\x13\x80")
	f.Fuzz(func(t *testing.T, in string) {
		for _, a := range heard(in) {
			if a.kind == passed && !strings.Contains(in, passedHead+string(a.group[:])) {
				t.Errorf("heard group %q in %q", a.group, in)
			}
		}
		all := heard(in + strings.Repeat("\xff", maxState) + passedHead + "zz\x00\x00")
		if want := (answer{kind: passed, group: [2]byte{'z', 'z'}}); len(all) == 0 ||
			all[len(all)-1] != want {
			t.Errorf("after %q the next group was not heard", in)
		}
	})
}
