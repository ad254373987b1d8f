package node

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast.dev/hardware/receipt"
)

func TestALogoIsReadDotByDot(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 9, 2)) // transparent: white
	img.Set(0, 0, color.Black)
	img.Set(8, 1, color.Black)
	img.Set(4, 1, color.White)
	got, err := readLogo(picture(t, img))
	if err != nil {
		t.Fatal(err)
	}
	if got.Width != 9 || got.Height != 2 || !bytes.Equal(got.Dots, []byte{0x80, 0, 0, 0x80}) {
		t.Errorf("%+v", got)
	}
	none, err := readLogo("")
	if err != nil || none.Height != 0 {
		t.Errorf("no logo: %+v, %v", none, err)
	}
	widest := image.NewGray(image.Rect(0, 0, maxLogoWidth, maxLogoHeight))
	if logo, err := readLogo(picture(t, widest)); err != nil {
		t.Error(err)
	} else if _, err := receipt.Job(receipt.Document{Blocks: []receipt.Block{logo}}); err != nil {
		t.Errorf("the largest logo cannot be printed: %v", err)
	}
}

func TestALogoThatCannotBePrintedIsAFaultThatSaysWhy(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "nothing.png"):                               "no such file",
		write("logo.gif", []byte("GIF89a")):                             "want a PNG picture",
		write("huge.png", make([]byte, maxLogoBytes+1)):                 "more than 1048576 bytes",
		picture(t, image.NewGray(image.Rect(0, 0, maxLogoWidth+1, 1))):  "385 by 1 dots: want at most 384 by 240",
		picture(t, image.NewGray(image.Rect(0, 0, 1, maxLogoHeight+1))): "1 by 241 dots",
	} {
		if _, err := readLogo(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// picture writes a PNG.
func picture(t *testing.T, img image.Image) string {
	t.Helper()
	var data bytes.Buffer
	if err := png.Encode(&data, img); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "logo.png")
	if err := os.WriteFile(path, data.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
