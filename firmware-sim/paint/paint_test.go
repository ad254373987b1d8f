package paint_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"holdfast.dev/firmware-sim/paint"
)

// shown draws dots as text.
func shown(d *paint.Dots) string {
	var b strings.Builder
	for y := range d.Height {
		for x := range d.Width {
			b.WriteByte(map[bool]byte{false: '.', true: '#'}[d.At(x, y)])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestDotsAreSetWhereTheyShould(t *testing.T) {
	d := paint.New(4, 3)
	d.Fill(image.Rect(1, 1, 99, 2))
	d.Set(0, 0)
	d.Set(-1, 0)
	d.Set(0, 3)
	if got, want := shown(d), "#...\n.###\n....\n"; got != want {
		t.Errorf("got\n%s", got)
	}
	if got, want := shown(d.Scaled(2, 3)), "#.\n.#\n..\n"; got != want {
		t.Errorf("scaled:\n%s", got)
	}
	over := paint.New(2, 2)
	over.Put(d, 0, -1)
	if got, want := shown(over), ".#\n..\n"; got != want {
		t.Errorf("put:\n%s", got)
	}
}

func TestTextIsAsWideAsMeasured(t *testing.T) {
	f, err := paint.LoadFont()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "i", "Smørrebrød € 2,49", "\U0001F600"} {
		for _, size := range []int{10, 24, 50, 120} {
			line := f.Line(text, size, size)
			if line.Height != size || line.Width != max(1, f.Measure(text, size)) {
				t.Errorf("%q at %d is %d by %d", text, size, line.Width, line.Height)
			}
		}
	}
	if f.Measure("WWW", 24) <= f.Measure("iii", 24) {
		t.Error("three W are not wider than three i")
	}
	if !f.Has('ø') || f.Has('\U0001F600') {
		t.Error("the font has what it should not, or the reverse")
	}
	if c := f.Cell('A', 24, 48); c.Width != 24 || !strings.Contains(shown(c), "#") {
		t.Error("a cell is empty")
	}
}

func TestPicturesCarryTheirResolution(t *testing.T) {
	d := paint.New(3, 2)
	d.Set(1, 1)
	file, err := d.PNG(color.White, color.Black, 8000)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte("pHYs\x00\x00\x1f\x40\x00\x00\x1f\x40\x01")) {
		t.Error("8 dots per mm are not said")
	}
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if r, _, _, _ := img.At(1, 1).RGBA(); r != 0 || img.Bounds().Dx() != 3 {
		t.Errorf("got %v", img.At(1, 1))
	}
}
