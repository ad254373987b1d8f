// Package paint draws what simulated labels and displays show: dots, boxes and
// text of any size in black on white, as thermal heads and lamps do.
package paint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"slices"
)

// Dots is a picture of two colours; a set dot is burnt, or lit.
type Dots struct {
	Width, Height int
	dots          []bool
}

// New makes a blank picture.
func New(width, height int) *Dots {
	return &Dots{Width: width, Height: height, dots: make([]bool, width*height)}
}

// At tells whether a dot is set; beyond the edge none is.
func (d *Dots) At(x, y int) bool {
	return x >= 0 && x < d.Width && y >= 0 && y < d.Height && d.dots[y*d.Width+x]
}

// Set sets a dot; beyond the edge there is nothing to set.
func (d *Dots) Set(x, y int) {
	if x >= 0 && x < d.Width && y >= 0 && y < d.Height {
		d.dots[y*d.Width+x] = true
	}
}

// Fill sets a rectangle.
func (d *Dots) Fill(r image.Rectangle) {
	r = r.Intersect(image.Rect(0, 0, d.Width, d.Height))
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			d.dots[y*d.Width+x] = true
		}
	}
}

// Put sets the dots of src with its upper left corner at x, y.
func (d *Dots) Put(src *Dots, x, y int) {
	for sy := range src.Height {
		for sx, set := range src.dots[sy*src.Width : (sy+1)*src.Width] {
			if set {
				d.Set(x+sx, y+sy)
			}
		}
	}
}

// Scaled repeats each dot by its nearest neighbour until the picture has a size.
func (d *Dots) Scaled(width, height int) *Dots {
	t := New(width, height)
	for y := range height {
		for x := range width {
			if d.At(x*d.Width/width, y*d.Height/height) {
				t.Set(x, y)
			}
		}
	}
	return t
}

// doubled is the picture at twice its size with its stairs smoothed: a dot of
// the new picture follows two neighbours that agree (the EPX rule).
func (d *Dots) doubled() *Dots {
	t := New(2*d.Width, 2*d.Height)
	for y := range d.Height {
		for x := range d.Width {
			p, up, down := d.At(x, y), d.At(x, y-1), d.At(x, y+1)
			left, right := d.At(x-1, y), d.At(x+1, y)
			quarters := [4]bool{p, p, p, p}
			if left == up && left != down && up != right {
				quarters[0] = up
			}
			if up == right && up != left && right != down {
				quarters[1] = right
			}
			if down == left && down != right && left != up {
				quarters[2] = left
			}
			if right == down && right != up && down != left {
				quarters[3] = down
			}
			for i, set := range quarters {
				if set {
					t.Set(2*x+i%2, 2*y+i/2)
				}
			}
		}
	}
	return t
}

// Traced copies the modules of a symbol to dots, each so many dots large.
func Traced(code image.Image, wide, tall int) *Dots {
	size := code.Bounds().Size()
	d := New(size.X*wide, size.Y*tall)
	for y := range size.Y {
		for x := range size.X {
			if r, _, _, _ := code.At(x, y).RGBA(); r < 0x8000 {
				d.Fill(image.Rect(x*wide, y*tall, (x+1)*wide, (y+1)*tall))
			}
		}
	}
	return d
}

// PNG gives the picture in two colours, with its resolution in dots per metre.
func (d *Dots) PNG(off, on color.Color, perMetre int) ([]byte, error) {
	picture := image.NewPaletted(image.Rect(0, 0, d.Width, max(1, d.Height)), color.Palette{off, on})
	for y := range d.Height {
		for x := range d.Width {
			if d.At(x, y) {
				picture.Pix[y*picture.Stride+x] = 1
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return nil, fmt.Errorf("draw picture: %w", err)
	}
	const headerEnd = 8 + 25 // signature and IHDR
	return slices.Insert(file.Bytes(), headerEnd, resolution(perMetre)...), nil
}

// resolution is a pHYs chunk.
func resolution(perMetre int) []byte {
	chunk := []byte("\x00\x00\x00\x09pHYs")
	chunk = binary.BigEndian.AppendUint32(chunk, uint32(perMetre))
	chunk = binary.BigEndian.AppendUint32(chunk, uint32(perMetre))
	chunk = append(chunk, 1) // per metre
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}
