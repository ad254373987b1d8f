package storefront

import (
	"bytes"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"

	"github.com/boombuler/barcode/qr"
)

const (
	// quiet is the free margin around a code, in modules (ISO/IEC 18004).
	quiet = 4
	// pngScale is how many pixels one module is wide.
	pngScale = 10
)

// modules encodes a token at level M, which reads well from a scratched
// screen, as a square of dark and light.
func modules(token string) (image.Image, error) {
	code, err := qr.Encode(token, qr.M, qr.AlphaNumeric)
	if err != nil {
		return nil, fmt.Errorf("encode pickup code: %w", err)
	}
	return code, nil
}

func dark(m image.Image, x, y int) bool {
	level, _, _, _ := m.At(x, y).RGBA()
	return level < 0x8000
}

// qrSVG draws the code dark on white whatever the page's colours are, with its
// margin inside.
func qrSVG(token, label string) (template.HTML, error) {
	m, err := modules(token)
	if err != nil {
		return "", err
	}
	size := m.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && dark(m, x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	full := size + 2*quiet
	return template.HTML(fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" `+
		`aria-label="%s" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="%s"/></svg>`,
		full, full, template.HTMLEscapeString(label), full, full, path.String())), nil
}

// qrPNG is the same as a picture, to keep or to print.
func qrPNG(token string) ([]byte, error) {
	m, err := modules(token)
	if err != nil {
		return nil, err
	}
	size := m.Bounds().Dx() + 2*quiet
	picture := image.NewPaletted(image.Rect(0, 0, size*pngScale, size*pngScale),
		color.Palette{color.White, color.Black})
	for y := range size * pngScale {
		for x := range size * pngScale {
			at := image.Pt(x/pngScale-quiet, y/pngScale-quiet)
			if at.In(m.Bounds()) && dark(m, at.X, at.Y) {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("encode pickup code: %w", err)
	}
	return b.Bytes(), nil
}

func pickupPNG(v *visit) error {
	v.secret()
	r, err := v.reservation()
	if err != nil {
		return err
	}
	picture, err := qrPNG(r.GetToken())
	if err != nil {
		return err
	}
	return v.picture("image/png", picture)
}

func pickupSVG(v *visit) error {
	v.secret()
	r, err := v.reservation()
	if err != nil {
		return err
	}
	picture, err := qrSVG(r.GetToken(), v.T("pickup.qr"))
	if err != nil {
		return err
	}
	return v.picture("image/svg+xml", []byte(picture))
}

func (v *visit) picture(kind string, data []byte) error {
	v.w.Header().Set("Content-Type", kind)
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(data) // a browser that went away needs no answer
	return nil
}
