package receipt

import (
	"fmt"
	"image"
	"image/color"
)

// Image is a picture of black and white dots, centred, such as a logo. Each
// row is a whole number of bytes; the highest bit is the leftmost dot.
type Image struct {
	Width  int // dots
	Height int // dots
	Dots   []byte
}

// maxImageRows bounds a picture to a quarter of a metre of paper.
const maxImageRows = 2000

// FromImage turns a picture into dots one to one. What is darker than half
// becomes black; what is transparent stays white.
func FromImage(img image.Image) Image {
	size := img.Bounds().Size()
	stride := (size.X + 7) / 8
	picture := Image{Width: size.X, Height: size.Y, Dots: make([]byte, stride*size.Y)}
	for y := range size.Y {
		for x := range size.X {
			if dark(img.At(img.Bounds().Min.X+x, img.Bounds().Min.Y+y)) {
				picture.Dots[y*stride+x/8] |= 0x80 >> (x % 8)
			}
		}
	}
	return picture
}

func dark(c color.Color) bool {
	_, _, _, alpha := c.RGBA()
	gray := color.GrayModel.Convert(c).(color.Gray)
	return alpha >= 0x8000 && gray.Y < 0x80
}

// Row gives the bytes of one row.
func (i Image) Row(y int) []byte {
	stride := (i.Width + 7) / 8
	return i.Dots[y*stride : (y+1)*stride]
}

func (i Image) compose(c *composer) error {
	if i.Width < 1 || i.Width > c.dots {
		return fmt.Errorf("image %d dots wide: want 1 to %d", i.Width, c.dots)
	}
	if i.Height < 1 || i.Height > maxImageRows {
		return fmt.Errorf("image %d dots high: want 1 to %d", i.Height, maxImageRows)
	}
	if want := (i.Width + 7) / 8 * i.Height; len(i.Dots) != want {
		return fmt.Errorf("image of %d bytes: want %d", len(i.Dots), want)
	}
	c.add(Picture{i}, padded("[image]", c.width, Centre))
	return nil
}
