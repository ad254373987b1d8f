package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// frames gives lines of hex.
func frames(frames ...string) string {
	lines := make([]string, 0, len(frames))
	for _, f := range frames {
		lines = append(lines, hex.EncodeToString([]byte(f)))
	}
	return strings.Join(lines, "\n") + "\n"
}

func decodeText(t *testing.T, o decodeOptions, in string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := decode(o, strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestDecodeWritesOneObjectForEachFrame(t *testing.T) {
	long := strings.Repeat("5D", maxFrameLine)
	in := frames("]E07038010054471", "]E07038010054471\r\n", "\x02]E07038010054471\x03",
		"]C10107038010054471172706303103001250\r", "]Q1https://a.example/01/07038010054471?a=<b",
		"]Q1https://a.example/01/07038010054471", "]E02112345678900", "SHELF-A1\t", "HF1:7WA%*") +
		"zz\n\n" + long + "\n" + long + long + "\n" + "5d 45 34 39 36 33 38 35 30 37 34\r\n" +
		frames("]E07038010054472", "]d2010703801005447110\x1d", "]A0\x1b[2J", "]C110LOT117270630",
			"]\x13Bx", "]\u00e90") + "5D:45:34:39\t36-33,38 35:30:37:34\n" + "5D4"
	const (
		milk    = `"gtin":"07038010054471","ais":[`
		milkAI  = `{"ai":"01","value":"07038010054471","title":"GTIN"}`
		refusal = `"ais":[],"refusal":{"code":`
		tooLong = refusal + `"UNREADABLE","message":"a line of more than 32768 characters"}}`
		noHex   = refusal + `"UNREADABLE","message":"a line that is no hex"}}`
	)
	want := []string{
		`{"symbology":"]E0",` + milk + `]}`,
		`{"symbology":"]E0",` + milk + `]}`,
		`{"symbology":"]E0",` + milk + `]}`,
		`{"symbology":"]C1",` + milk + milkAI +
			`,{"ai":"17","value":"270630","title":"USE BY or EXPIRY"}` +
			`,{"ai":"3103","value":"001250","title":"NET WEIGHT (kg)"}]}`,
		`{"symbology":"]Q1",` + refusal + `"UNREADABLE","message":"a character that no URI has"}}`,
		`{"symbology":"]Q1",` + milk + milkAI + `]}`,
		`{"symbology":"]E0","gtin":"02112345678900","article":"02112345000008","plu":"12345",` +
			`"measure":"67.890 kg","ais":[]}`,
		`{"symbology":"","kind":"location","ais":[],"text":"SHELF-A1"}`,
		`{"symbology":"","kind":"pickup","ais":[]}`,
		`{"symbology":"",` + noHex,
		`{"symbology":"",` + refusal + `"UNREADABLE","message":"a symbol without content"}}`,
		`{"symbology":"",` + tooLong,
		`{"symbology":"",` + tooLong,
		`{"symbology":"]E4","gtin":"00000096385074","ais":[]}`,
		`{"symbology":"]E0",` + refusal + `"BAD_CHECK_DIGIT","message":"check digit of 7038010054472"}}`,
		`{"symbology":"]d2",` + refusal + `"UNREADABLE","message":"AI 10 without a value"}}`,
		`{"symbology":"]A0",` + refusal + `"UNREADABLE","message":"control byte 0x1b"}}`,
		`{"symbology":"]C1","kind":"attributes",` +
			`"ais":[{"ai":"10","value":"LOT117270630","title":"BATCH/LOT"}],` +
			`"hint":"AI 10 may have swallowed (17)270630: no separator in front of it"}`,
		`{"symbology":"",` + refusal + `"UNREADABLE","message":"AIM identifier \"]\\x13B\""}}`,
		`{"symbology":"",` + refusal + `"UNREADABLE","message":"AIM identifier \"]é\""}}`,
		`{"symbology":"]E4","gtin":"00000096385074","ais":[]}`,
		`{"symbology":"",` + noHex,
	}
	if diff := cmp.Diff(want, decodeText(t, decodeOptions{JSON: true}, in)); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeExplainsFramesToPeople(t *testing.T) {
	in := frames("]C102950123456789033724", "]E02330714002396") + "zz\n" + frames(
		"]d2010703801005447131030012503932978599\x1d1727060010LOT1", "DELIVERY-7", "HF1:7WA%*")
	want := `1: ]C1 GS1-128: delivery, GTIN-14 9 50 12345 67890 3
  (02) CONTENT: 95012345678903
  (37) COUNT: 24
  note: AI 37 needs AI 00 on the same label
2: ]E0 EAN-13, UPC-A or UPC-E: product, GTIN-13 2 330714 002396, RCN-13 region, PLU 3071, ` +
		`2.39 EUR, in the catalogue 02330710000006
3: no AIM identifier: refused UNREADABLE: a line that is no hex
4: ]d2 GS1 DataMatrix: product, GTIN-13 7 038010 054471
  (01) GTIN: 07038010054471
  (3103) NET WEIGHT (kg): 001250 = 1.250
  (3932) PRICE: 978599 = EUR 5.99
  (17) USE BY or EXPIRY: 270600 = 2027-06-30
  (10) BATCH/LOT: LOT1
5: no AIM identifier: delivery DELIVERY-7
6: no AIM identifier: pickup`
	got := strings.Join(decodeText(t, decodeOptions{Country: "DE"}, in), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeReadsInStoreNumbersByTheCountryAndTheShop(t *testing.T) {
	in := frames("]E02330714002396", "]E02112345678900")
	for _, tt := range []struct {
		o    decodeOptions
		want [2]string
	}{
		{decodeOptions{Country: "DE"}, [2]string{"2.39 EUR", ""}},
		{decodeOptions{Country: "NL"}, [2]string{"2.39 EUR", "67.890 kg"}},
		{decodeOptions{Country: "DK", Rules: []string{"21.....{NNNDD} price DKK"}},
			[2]string{"2.39 DKK", "678.90 DKK"}},
	} {
		tt.o.JSON = true
		for i, line := range decodeText(t, tt.o, in) {
			var got decoded
			if err := json.Unmarshal([]byte(line), &got); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got.Measure, tt.want[i]) || (got.Measure == "") != (tt.want[i] == "") {
				t.Errorf("%+v: %s, want %q", tt.o, line, tt.want[i])
			}
		}
	}
	for _, o := range []decodeOptions{
		{Country: "XX"}, {Rules: []string{""}}, {Rules: []string{"21 weight"}},
	} {
		if err := decode(o, strings.NewReader(in), io.Discard); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// torn is an input that breaks off.
type torn struct{ io.Reader }

var errTorn = errors.New("torn")

func (r torn) Read(p []byte) (int, error) {
	if n, err := r.Reader.Read(p); err == nil {
		return n, nil
	}
	return 0, errTorn
}

func TestDecodeTellsFaultsFromRefusals(t *testing.T) {
	var out bytes.Buffer
	in := torn{strings.NewReader(frames("]E07038010054471"))}
	err := decode(decodeOptions{JSON: true}, in, &out)
	if !errors.Is(err, errTorn) || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%v after %q", err, out.String())
	}
}

func FuzzDecodeLine(f *testing.F) {
	f.Add("5D4530373033383031303035343437310D0A", true)
	f.Add("5D 43 31 31 30 4C 1D 1D", false)
	f.Add("2853484546\n\nzz\r\n5d", true)
	f.Add("5d1342", true)
	f.Fuzz(func(t *testing.T, in string, asJSON bool) {
		var out bytes.Buffer
		if err := decode(decodeOptions{JSON: asJSON}, strings.NewReader(in), &out); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		for _, r := range text {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("character %q cannot be printed: %q", r, text)
			}
		}
		if !asJSON {
			return
		}
		given := strings.Count(in, "\n")
		if in != "" && !strings.HasSuffix(in, "\n") {
			given++
		}
		if got := strings.Count(text, "\n"); got != given {
			t.Fatalf("%d lines for %d frames", got, given)
		}
		for line := range strings.Lines(text) {
			var l decoded
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if strings.ContainsFunc(l.Symbology, unicode.IsControl) {
				t.Fatalf("a control character in the symbology: %s", line)
			}
			if said := l.GTIN != "" || len(l.AIs) > 0 || l.Kind != ""; said == (l.Refusal != nil) {
				t.Fatalf("says something and nothing: %s", line)
			}
		}
	})
}
