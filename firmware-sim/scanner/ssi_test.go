package scanner

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func manual(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSymbolsAreSentAsTheManualSays(t *testing.T) {
	for _, c := range []struct{ aim, code, want string }{
		{"]E0", "4006381333931", "12 F3 00 00 0B 34 30 30 36 33 38 31 33 33 33 39 33 31 FC 54"},
		{"]C0", "ABC123", "0B F3 00 00 03 41 42 43 31 32 33 FD A3"},
		{"]d2", "010950110153000310AB\x1d17271231",
			"22 F3 00 00 1B 30 31 30 39 35 30 31 31 30 31 35 33 30 " +
				"30 30 33 31 30 41 42 1D 31 37 32 37 31 32 33 31 F9 1A"},
	} {
		packets := SymbolPackets(c.code, types[c.aim], maxPacketText)
		if got := bytes.Join(packets, nil); !bytes.Equal(got, manual(t, c.want)) {
			t.Errorf("%s: % X, want %s", c.code, got, c.want)
		}
	}
	again := resent(SymbolPackets("4006381333931", 0x0B, maxPacketText)[0])
	const want = "12 F3 00 01 0B 34 30 30 36 33 38 31 33 33 33 39 33 31 FC 53"
	if !bytes.Equal(again, manual(t, want)) {
		t.Errorf("sent again: % X, want %s", again, want)
	}
	long := SymbolPackets(strings.Repeat("7", 501), 0x1C, maxPacketText)
	if len(long) != 3 || long[0][0] != 255 || long[0][3] != statusMore || long[2][3] != 0 ||
		long[2][0] != 6 {
		t.Errorf("501 characters make %d packets with headers % X … % X", len(long), long[0][:4],
			long[2][:4])
	}
}

func never() bool { return false }

func TestTheDecoderDoesWhatAHostSays(t *testing.T) {
	const acked, context = "04 D0 00 00 FF 2C", "05 D1 00 00 02 FF 28"
	for _, c := range []struct{ name, host, reply string }{
		{"packet format", "07 C6 04 00 FF EE 01 FD 41", acked},
		{"the same after waking it up", "00 07 C6 04 00 FF EE 01 FD 41", acked},
		{"the same after noise", "FF 12 07 C6 04 00 FF EE 01 FD 41", acked},
		{"AIM identifiers", "07 C6 04 00 FF 2D 01 FE 02", acked},
		{"scan disable", "04 EA 04 00 FF 0E", acked},
		{"a parameter that it lacks", "07 C6 04 00 FF 9C 01 FD 93", context},
		{"a command that it lacks", "04 10 04 00 FF E8", context},
		{"a wrong checksum", "04 EA 04 00 FF 0F", ""},
	} {
		d := decoder{enabled: true}
		var reply []byte
		for _, b := range manual(t, c.host) {
			if say, ok := d.hear(b, never); ok {
				reply = append(reply, say.reply...)
			}
		}
		if !bytes.Equal(reply, manual(t, c.reply)) {
			t.Errorf("%s: % X, want %s", c.name, reply, c.reply)
		}
	}
	d := decoder{enabled: true}
	for _, b := range manual(t,
		"07 C6 04 00 FF EE 01 FD 41 07 C6 04 00 FF 2D 01 FE 02 04 EA 04 00 FF 0E") {
		d.hear(b, never)
	}
	if !d.packets || !d.aim || d.enabled {
		t.Errorf("decoder = %+v, want packets and identifiers, and no scanning", d)
	}
	for host, want := range map[string]saying{
		"04 D0 04 00 FF 28":    {answer: ack},
		"05 D1 04 00 01 FF 25": {answer: nak, cause: causeResend},
	} {
		var got saying
		for _, b := range manual(t, host) {
			if say, ok := d.hear(b, never); ok {
				got = say
			}
		}
		if got.answer != want.answer || got.cause != want.cause {
			t.Errorf("%s is heard as %+v", host, got)
		}
	}
}
