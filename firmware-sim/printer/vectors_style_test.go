package printer

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// plainCell is a character as the font has it.
func plainCell(char rune, font int) *bitmap {
	f := testFaces[font]
	b := newBitmap(f.width, f.height)
	f.draw(b, f.rows[char], 0)
	return b
}

func same(a, b *bitmap) bool {
	return a.width == b.width && a.height == b.height && bytes.Equal(a.dots, b.dots)
}

// looks checks the cell of a character against one that is made in another way.
func (h *heard) looks(char, what string, make func(plain *bitmap) *bitmap) error {
	p := h.char(char)
	if p == nil {
		return fmt.Errorf("%s was not printed", char)
	}
	want := make(plainCell(p.char, p.style.font))
	return is(same(p.cell, want), "%s is not %s", char, what)
}

func asItIs(b *bitmap) *bitmap { return b }

func fat(b *bitmap) *bitmap {
	out := newBitmap(b.width, b.height)
	for y := range b.height {
		for x := range b.width {
			if b.at(x, y) {
				out.set(x, y)
				out.set(x+1, y)
			}
		}
	}
	return out
}

func times(wide, tall int) func(*bitmap) *bitmap {
	return func(b *bitmap) *bitmap { return b.scaled(wide, tall) }
}

// underlined has dots across the foot of the cell.
func underlined(dots int) func(*bitmap) *bitmap {
	return func(b *bitmap) *bitmap {
		b.fill(0, b.height-dots, b.width, dots)
		return b
	}
}

// styleClaims are about how characters look and where lines stand.
var styleClaims = []claim{
	rule(`\b([A-Z])(?: is)? (bold|normal|plain|double[- ]strike|reversed|white on black|underlined)\b`,
		func(h *heard, said []string) error {
			how := map[string]func(*bitmap) *bitmap{"bold": fat, "double-strike": fat,
				"double strike": fat,
				"normal":        asItIs, "plain": asItIs, "reversed": (*bitmap).inverted, "white on black": (*bitmap).inverted,
				"underlined": underlined(1)}
			return h.looks(said[1], said[2], how[said[2]])
		}),
	rule(`^NOT bold`, func(h *heard, _ []string) error { return h.looks("A", "plain", asItIs) }),
	rule(`^bold\b`, func(h *heard, _ []string) error { return h.looks("A", "bold", fat) }),
	rule(`\b([A-Z]) (\d)-dot\b`, func(h *heard, said []string) error {
		return h.looks(said[1], "underlined", underlined(number(said[2])))
	}),
	rule(`2-dot, ([A-Z]) none`, func(h *heard, said []string) error {
		return h.looks(said[1], "plain", asItIs)
	}),
	rule(`\b([A-Z]) (double width|double height)(?: \([^)]*\))? (?:and|\+) double (?:width|height)`,
		func(h *heard, said []string) error { return h.looks(said[1], "double", times(2, 2)) }),
	rule(`\b([A-Z]) double width(?: \([^)]*\))?(?:$|[,;])`, func(h *heard, said []string) error {
		return h.looks(said[1], "double width", times(2, 1))
	}),
	rule(`\b([A-Z]) double height(?: \([^)]*\))?(?:$|[,;])`, func(h *heard, said []string) error {
		return h.looks(said[1], "double height", times(1, 2))
	}),
	rule(`\b([A-Z]) (\d)x(\d) times: (\d+)x(\d+) dots`, func(h *heard, said []string) error {
		if err := h.looks(said[1], said[0], times(number(said[2]), number(said[3]))); err != nil {
			return err
		}
		p := h.char(said[1])
		return wants("size", fmt.Sprint(p.cell.width, p.cell.height), said[4]+" "+said[5])
	}),
	rule(`\b([A-Z]) in font ([AB])(?: \((\d+)x(\d+)\))?`, func(h *heard, said []string) error {
		p := h.char(said[1])
		if err := wants("font", "AB"[p.style.font], said[2][0]); err != nil || said[3] == "" {
			return err
		}
		return wants("cell", fmt.Sprint(p.cell.width, p.cell.height), said[3]+" "+said[4])
	}),
	rule(`(\d+) dots extra to the right of each character`, func(h *heard, said []string) error {
		for i := 1; i < len(h.chars); i++ {
			if step := h.chars[i].x - h.chars[i-1].x; step != 12+number(said[1]) {
				return fmt.Errorf("characters are %d dots apart", step)
			}
		}
		return nil
	}),
	rule(`rotated 180 degrees`, func(h *heard, _ []string) error {
		b := newBench(escposLanguage)
		b.feed([]byte("A\n"))
		return is(bytes.Equal(h.lines[0].picture.dots[:24*72], turnedTop(b.lines[0].picture).dots),
			"the line is not turned")
	}),
	rule(`only at line start`, func(h *heard, _ []string) error { return h.onlyAtLineStart() }),
	rule(`share the BASELINE; line height is the tallest`, func(h *heard, _ []string) error {
		tallest := 0
		for _, c := range h.chars {
			tallest = max(tallest, c.cell.height)
		}
		_, _, _, foot, _ := inkOf(h.lines[0].picture)
		return is(h.lines[0].picture.height == tallest && foot <= tallest && foot > tallest-2*6,
			"line of %d dots, ink to %d",
			h.lines[0].picture.height, foot)
	}),
	rule(`\b([A-Z]) (centred|right|left)\b`, func(h *heard, said []string) error {
		return h.stands(said[1], said[2])
	}),
	rule(`^([A-Z])\b.*rotated 90 degrees`, func(h *heard, said []string) error {
		return h.looks(said[1], "turned", (*bitmap).quarterTurned)
	}),
}

// turnedTop is the upper 24 rows of a line, rotated by half a turn.
func turnedTop(line *bitmap) *bitmap {
	top := newBitmap(line.width, 24)
	copy(top.dots, line.dots)
	return top.turned()
}

// onlyAtLineStart sends the command in the middle of a line: it changes nothing.
func (h *heard) onlyAtLineStart() error {
	command, _, _ := bytes.Cut(h.bytes, []byte("A"))
	plain, middle := newBench(escposLanguage), newBench(escposLanguage)
	plain.feed([]byte("XY\n"))
	middle.feed(append(append([]byte("X"), command...), "Y\n"...))
	if err := wants("cuts", middle.severed, 0); err != nil {
		return err
	}
	return is(strings.HasPrefix(dump(middle.lines), dump(plain.lines)),
		"it worked in the middle of a line")
}

// stands checks where the line of a character has its ink.
func (h *heard) stands(char, where string) error {
	p := h.char(char)
	if p == nil {
		return fmt.Errorf("%s was not printed", char)
	}
	line := h.lines[p.line].picture
	want := 0
	switch where {
	case "centred":
		want = (line.width - p.cell.width) / 2
	case "right":
		want = line.width - p.cell.width
	}
	left, _, _, _, _ := inkOf(line)
	inner, _, _, _, _ := inkOf(p.cell)
	return wants("left edge of "+char, left-inner, want)
}

// barcodeClaims are about linear symbols.
var barcodeClaims = []claim{
	rule(`^(\d{6,}|[A-Z0-9][A-Z0-9\-.$/+%]{3,})(?:;|$| \()`, func(h *heard, said []string) error {
		return h.reads(said[1], "")
	}),
	rule(`-> "([^"]+)"`, func(h *heard, said []string) error { return h.reads(said[1], "") }),
	rule(`\bdata ([A-Z0-9]+)\b`, func(h *heard, said []string) error {
		return h.reads(said[1], "")
	}),
	rule(`prints what was sent`, func(h *heard, _ []string) error {
		data := strings.Trim(string(h.bytes[3:]), "\x00")
		return wants("symbols", strings.Join(h.symbolTexts(), ","), data)
	}),
	rule(`FNC1, (\d+), (\d+).*\](C1) prefix`, func(h *heard, said []string) error {
		return h.reads(said[1]+said[2], "]"+said[3])
	}),
	rule(`^invalid|not printed|command is dropped`, func(h *heard, _ []string) error {
		if err := is(len(h.symbolTexts()) == 0, "printed %q", h.symbolTexts()); err != nil {
			return err
		}
		return is(strings.Contains(h.warnings(), "BARCODE_INVALID") ||
			strings.Contains(h.warnings(), "TOO_WIDE"),
			"flags: %s", h.warnings())
	}),
	rule(`HRI in font ([AB])`, func(h *heard, said []string) error {
		return wants("font", "AB"[h.set.hriFont], said[1][0])
	}),
	rule(`above and below`, func(h *heard, _ []string) error {
		return wants("place of the text", h.set.hri, 3)
	}),
	rule(`\bheight (\d+) dots`, func(h *heard, said []string) error {
		return wants("height", h.set.barHeight, number(said[1]))
	}),
	rule(`(?:module|width)(?: of)? (\d) dots`, func(h *heard, said []string) error {
		return wants("module", h.set.barDots, number(said[1]))
	}),
}

// reads gives the picture to a reader that is not ours.
func (h *heard) reads(content, prefix string) error {
	if got := strings.Join(h.symbolTexts(), ","); got != content {
		return fmt.Errorf("printed the symbol %q, want %q; flags: %s", got, content, h.warnings())
	}
	img, err := gozxing.NewBinaryBitmapFromImage(h.paper())
	if err != nil {
		return err
	}
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	if prefix != "" {
		hints[gozxing.DecodeHintType_ASSUME_GS1] = true
	}
	for _, reader := range []gozxing.Reader{oned.NewEAN13Reader(), oned.NewEAN8Reader(),
		oned.NewUPCAReader(),
		oned.NewUPCEReader(), oned.NewCode128Reader(), oned.NewCode39Reader(), oned.NewITFReader(),
		oned.NewCode93Reader(), oned.NewCodaBarReader()} {
		got, err := reader.Decode(img, hints)
		if err != nil {
			continue
		}
		switch strings.ReplaceAll(got.GetText(), "\x1d", "") {
		case prefix + content, strings.Trim(content,
			"ABCD"): // Codabar's ends are not content to the reader
			return nil
		}
	}
	return fmt.Errorf("no reader reads %q", prefix+content)
}

// paper is all that was printed, with a margin, as a picture.
func (h *heard) paper() image.Image {
	const margin = 40
	b := h.strip.picture(len(h.strip.rows))
	img := image.NewGray(image.Rect(0, 0, b.width+2*margin, b.height+2*margin))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	for y := range b.height {
		for x := range b.width {
			if b.at(x, y) {
				img.SetGray(x+margin, y+margin, color.Gray{})
			}
		}
	}
	return img
}

// symbolClaims are about QR codes and PDF417.
var symbolClaims = []claim{
	rule(`QR code of (\S+?)(?:;|$)`, func(h *heard, said []string) error {
		img, err := gozxing.NewBinaryBitmapFromImage(h.paper())
		if err != nil {
			return err
		}
		got, err := qrcode.NewQRCodeReader().Decode(img, nil)
		if err != nil {
			return fmt.Errorf("read QR code: %w; flags: %s", err, h.warnings())
		}
		return wants("content", got.GetText(), said[1])
	}),
	rule(`PDF417 of (\S+)`, func(h *heard, said []string) error {
		return wants("symbols", strings.Join(h.symbolTexts(), ","), said[1])
	}),
	rule(`version (\d+) \((\d+) modules\)`, func(h *heard, said []string) error {
		return wants("modules of a version", 17+4*number(said[1]), number(said[2]))
	}),
	rule(`= (\d+) dots`, func(h *heard, said []string) error {
		left, top, right, bottom, _ := inkOf(h.strip.picture(len(h.strip.rows)))
		return wants("size of the ink", fmt.Sprint(right-left, bottom-top), said[1]+" "+said[1])
	}),
	rule(`nothing printed`, func(h *heard, _ []string) error {
		return is(len(h.lines) == 0, "printed %q", h.text())
	}),
}

// rasterClaims are about pictures.
var rasterClaims = []claim{
	rule(`^(\d+)x(\d+) dots`, func(h *heard, said []string) error {
		left, top, right, bottom, _ := inkOf(h.strip.picture(len(h.strip.rows)))
		return wants("size of the ink", fmt.Sprint(right-left, bottom-top), said[1]+" "+said[2])
	}),
	rule(`^(\d+) dots wide, (\d+) (?:rows|dots)`, func(h *heard, said []string) error {
		left, top, right, bottom, _ := inkOf(h.strip.picture(len(h.strip.rows)))
		return wants("size of the ink", fmt.Sprint(right-left, bottom-top), said[1]+" "+said[2])
	}),
	rule(`(\d+) columns of (\d+) dots.*?each dot becomes (\d+) wide x (\d+) high`,
		func(h *heard, said []string) error {
			cell := h.chars[0].cell
			return wants("size", fmt.Sprint(cell.width, cell.height),
				fmt.Sprint(number(said[1])*number(said[3]), number(said[2])*number(said[4])))
		}),
	rule(`one column of (\d+) dots.*: (\d+) on, (\d+) off, (\d+) on`,
		func(h *heard, said []string) error {
			cell := h.chars[0].cell
			var got []string
			for y, run := 0, 0; y < cell.height; y++ {
				run++
				if y+1 == cell.height || cell.at(0, y) != cell.at(0, y+1) {
					got = append(got, fmt.Sprint(run))
					run = 0
				}
			}
			return wants("runs", strings.Join(got, " "), strings.Join(said[2:], " "))
		}),
	rule(`prints NV bit image (\d+).*if defined; else nothing`,
		func(h *heard, said []string) error {
			if err := is(len(h.lines) == 0, "printed %q", h.text()); err != nil {
				return err
			}
			b := newBench(escposLanguage)
			b.feed([]byte("\x1cq\x01\x01\x00\x01\x00abcdefgh"))
			b.feed(h.bytes)
			return is((len(b.lines) == 1) == (said[1] == "1"), "printed %d images", len(b.lines))
		}),
}
