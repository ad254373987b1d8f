package printer

import (
	"errors"
	"fmt"
	"image"
	"strings"

	"github.com/boombuler/barcode/codabar"
	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/code39"
	"github.com/boombuler/barcode/code93"
	"github.com/boombuler/barcode/twooffive"
)

// Symbologies: m of GS k, form B.
const (
	upcA     = 65
	upcE     = 66
	ean13    = 67
	ean8     = 68
	code39m  = 69
	itf      = 70
	codabarm = 71
	code93m  = 72
	code128m = 73
	gs1128   = 74
)

var symbologies = map[byte]string{
	upcA: "UPC-A", upcE: "UPC-E", ean13: "EAN-13", ean8: "EAN-8", code39m: "Code 39", itf: "ITF",
	codabarm: "Codabar", code93m: "Code 93", code128m: "Code 128", gs1128: "GS1-128",
	75: "DataBar", 76: "DataBar Truncated", 77: "DataBar Limited", 78: "DataBar Expanded",
}

// bars is a linear symbol: a string of modules, 1 is black, and its plain text.
type bars struct {
	name    string
	modules string
	text    string
}

// barcodeESC is GS k in both forms.
func (m *machine) barcodeESC(cmd []byte) {
	kind := cmd[2]
	var data string
	if kind <= 6 {
		data = strings.TrimSuffix(string(cmd[3:]), "\x00")
		kind += upcA
	} else {
		data = string(cmd[4:])
	}
	if kind == code128m {
		m.printBars(code128Bars(data))
		return
	}
	m.printBars(linear(kind, data))
}

func (m *machine) printBars(b bars, err error) {
	if err != nil {
		m.strip.warn("BARCODE_INVALID " + b.name + ": " + err.Error())
		return
	}
	picture := newBitmap(len(b.modules)*m.set.barDots, m.set.barHeight)
	for x := range len(b.modules) {
		if b.modules[x] == '1' {
			picture.fill(x*m.set.barDots, 0, m.set.barDots, m.set.barHeight)
		}
	}
	m.printSymbol(m.captioned(picture, b.text), b.name, b.text)
}

// linear gives the bars of all but Code 128, whose data the languages write in
// their own ways.
func linear(kind byte, data string) (bars, error) {
	b := bars{name: symbologies[kind], text: data}
	var code image.Image
	var err error
	switch kind {
	case upcA, upcE, ean13, ean8:
		b.modules, b.text, err = retail(kind, data)
		return b, err
	case code39m:
		b.text = strings.Trim(data, "*")
		code, err = code39.Encode(b.text, false, false)
	case itf:
		if len(data) < 2 || len(data)%2 != 0 {
			return b, fmt.Errorf("%d digits, which is odd or nothing", len(data))
		}
		code, err = twooffive.Encode(data, true)
	case codabarm:
		code, err = codabar.Encode(data)
	case code93m:
		code, err = code93.Encode(data, true, true)
	case gs1128:
		return gs1Bars(data)
	default:
		if b.name == "" {
			b.name = "barcode " + hexBytes([]byte{kind})
		}
		return b, errNotDrawn
	}
	if err != nil {
		return b, err
	}
	b.modules = modulesOf(code)
	return b, nil
}

func modulesOf(code image.Image) string {
	row := traced(code)
	out := make([]byte, row.width)
	for x := range out {
		out[x] = '0' + bit(row.at(x, 0), 1)
	}
	return string(out)
}

// Bars of a digit in EAN and UPC: odd and even parity left of the middle, and
// right of it.
var (
	oddDigits = [10]string{"0001101", "0011001", "0010011", "0111101", "0100011", "0110001",
		"0101111",
		"0111011", "0110111", "0001011"}
	evenDigits = [10]string{"0100111", "0110011", "0011011", "0100001", "0011101", "0111001",
		"0000101",
		"0010001", "0001001", "0010111"}
	rightDigits = [10]string{"1110010", "1100110", "1101100", "1000010", "1011100", "1001110",
		"1010000",
		"1000100", "1001000", "1110100"}
	// parity13 says which left digits are even, by the first digit of EAN-13.
	parity13 = [10]string{"OOOOOO", "OOEOEE", "OOEEOE", "OOEEEO", "OEOOEE", "OEEOOE", "OEEEOO",
		"OEOEOE",
		"OEOEEO", "OEEOEO"}
	// parityE says which digits are even, by the check digit of UPC-E.
	parityE = [10]string{"EEEOOO", "EEOEOO", "EEOOEO", "EEOOOE", "EOEEOO", "EOOEEO", "EOOOEE",
		"EOEOEO",
		"EOEOOE", "EOOEOE"}
)

const guard, middle, endE = "101", "01010", "010101"

// retail draws EAN and UPC. Digits with a check digit are drawn as they are,
// also if it is wrong; without one it is added.
func retail(kind byte, data string) (modules, text string, err error) {
	if strings.Trim(data, "0123456789") != "" {
		return "", data, errors.New("not only digits")
	}
	full := map[byte]int{upcA: 12, ean13: 13, ean8: 8}[kind]
	if kind == upcE {
		return drawUPCE(data)
	}
	switch len(data) {
	case full:
	case full - 1:
		data += checkDigit(data)
	default:
		return "", data, fmt.Errorf("%d digits, want %d or %d", len(data), full-1, full)
	}
	switch kind {
	case upcA:
		return halves(parity13[0], data[:6], data[6:]), data, nil
	case ean8:
		return halves("OOOO", data[:4], data[4:]), data, nil
	}
	return halves(parity13[data[0]-'0'], data[1:7], data[7:]), data, nil
}

func halves(parity, left, right string) string {
	var b strings.Builder
	b.WriteString(guard)
	b.WriteString(leftHalf(parity, left))
	b.WriteString(middle)
	for i := range len(right) {
		b.WriteString(rightDigits[right[i]-'0'])
	}
	b.WriteString(guard)
	return b.String()
}

func leftHalf(parity, digits string) string {
	var b strings.Builder
	for i := range len(digits) {
		if parity[i] == 'E' {
			b.WriteString(evenDigits[digits[i]-'0'])
		} else {
			b.WriteString(oddDigits[digits[i]-'0'])
		}
	}
	return b.String()
}

// drawUPCE takes the eleven or twelve digits of UPC-A, or six to eight of UPC-E.
func drawUPCE(data string) (modules, text string, err error) {
	six, long := data, ""
	switch len(data) {
	case 6:
		long = expanded(data)
	case 7, 8:
		six = data[1:7]
		long = expanded(six)
	case 11, 12:
		long = data[:11]
		if six = compressed(long); six == "" {
			return "", data, errors.New("no zeros to leave out")
		}
	default:
		return "", data, fmt.Errorf("%d digits, want 6 to 8, 11 or 12", len(data))
	}
	if len(data) > 6 && data[0] != '0' {
		return "", data, errors.New("does not begin with 0")
	}
	check := checkDigit(long)
	return guard + leftHalf(parityE[check[0]-'0'], six) + endE, "0" + six + check, nil
}

// expanded gives the eleven digits of UPC-A that six of UPC-E stand for.
func expanded(six string) string {
	switch last := six[5]; last {
	case '0', '1', '2':
		return "0" + six[:2] + string(last) + "0000" + six[2:5]
	case '3':
		return "0" + six[:3] + "00000" + six[3:5]
	case '4':
		return "0" + six[:4] + "00000" + six[4:5]
	default:
		return "0" + six[:5] + "0000" + string(last)
	}
}

// compressed is the reverse; it is empty if there is none.
func compressed(eleven string) string {
	maker, product := eleven[1:6], eleven[6:]
	for _, six := range []string{
		maker[:2] + product[2:] + maker[2:3], maker[:3] + product[3:] + "3", maker[:4] + product[4:] + "4",
		maker + product[4:],
	} {
		if expanded(six) == eleven {
			return six
		}
	}
	return ""
}

// checkDigit is that of GS1 for digits without one.
func checkDigit(digits string) string {
	sum := 0
	for i := range len(digits) {
		sum += int(digits[i]-'0') * (3 - 2*((len(digits)-1-i)%2))
	}
	return string(rune('0' + (10-sum%10)%10))
}

// code128Bars reads code sets and functions of ESC/POS: {A {B {C select, {1 is
// FNC1, {{ a brace; in set C each byte is a pair of digits. The text leaves
// FNC1 out.
func code128Bars(data string) (bars, error) {
	b := bars{name: symbologies[code128m]}
	var c, t strings.Builder
	set := byte(0)
	for i := 0; i < len(data); i++ {
		if data[i] != '{' || i+1 == len(data) {
			if err := code128Byte(&c, &t, set, data[i]); err != nil {
				return b, err
			}
			continue
		}
		i++
		switch next := data[i]; next {
		case 'A', 'B', 'C':
			set = next
		case '1':
			c.WriteRune(code128.FNC1)
		case '{':
			c.WriteByte('{')
			t.WriteByte('{')
		default:
			return b, errors.New("function is not drawn")
		}
	}
	code, err := code128.Encode(c.String())
	if err != nil {
		return b, err
	}
	b.modules, b.text = modulesOf(code), t.String()
	return b, nil
}

func code128Byte(content, text *strings.Builder, set, b byte) error {
	switch {
	case set == 0:
		return errors.New("no code set is selected")
	case set == 'C' && b > 99, b > 0x7f:
		return errors.New("byte outside the code set")
	case set == 'C':
		pair := string([]byte{'0' + b/10, '0' + b%10})
		content.WriteString(pair)
		text.WriteString(pair)
	default:
		content.WriteByte(b)
		text.WriteByte(b)
	}
	return nil
}

// gs1Bars is GS1-128: an FNC1 stands first by itself. Brackets and blanks are
// only for the eye.
func gs1Bars(data string) (bars, error) {
	b := bars{name: symbologies[gs1128], text: data}
	content := strings.NewReplacer("(", "", ")", "", " ", "", "*", "").Replace(data)
	content = strings.ReplaceAll(content, "{1", string(code128.FNC1))
	if content == "" {
		return b, errors.New("empty")
	}
	code, err := code128.Encode(string(code128.FNC1) + content)
	if err != nil {
		return b, err
	}
	b.modules = modulesOf(code)
	return b, nil
}

// captioned adds the plain text (HRI) above or below the bars.
func (m *machine) captioned(symbol *bitmap, text string) *bitmap {
	if m.set.hri == 0 {
		return symbol
	}
	f := m.faces[m.set.hriFont]
	caption := newBitmap(f.width*len(text), f.height)
	for i, char := range []rune(text) {
		if rows, ok := f.rows[char]; ok {
			f.draw(caption, rows, i*f.width)
		}
	}
	above, below := m.set.hri&1 != 0, m.set.hri&2 != 0
	width, height := max(symbol.width, caption.width), symbol.height
	top := 0
	if above {
		top = f.height
		height += f.height
	}
	if below {
		height += f.height
	}
	whole := newBitmap(width, height)
	whole.put(symbol, (width-symbol.width)/2, top)
	if above {
		whole.put(caption, (width-caption.width)/2, 0)
	}
	if below {
		whole.put(caption, (width-caption.width)/2, top+symbol.height)
	}
	return whole
}
