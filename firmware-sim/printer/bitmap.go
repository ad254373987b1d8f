package printer

// bitmap is a black and white picture; a set bit is a burnt dot.
type bitmap struct {
	width, height int
	stride        int // bytes per row
	dots          []byte
}

func newBitmap(width, height int) *bitmap {
	stride := (width + 7) / 8
	return &bitmap{width: width, height: height, stride: stride, dots: make([]byte, stride*height)}
}

func (b *bitmap) at(x, y int) bool {
	return b.dots[y*b.stride+x/8]&(0x80>>(x%8)) != 0
}

// set burns a dot; beyond the edge there is no paper.
func (b *bitmap) set(x, y int) {
	if x >= 0 && x < b.width && y >= 0 && y < b.height {
		b.dots[y*b.stride+x/8] |= 0x80 >> (x % 8)
	}
}

// fill burns a rectangle.
func (b *bitmap) fill(x, y, width, height int) {
	for dy := range height {
		for dx := range width {
			b.set(x+dx, y+dy)
		}
	}
}

// put burns the dots of src with its upper left corner at x, y.
func (b *bitmap) put(src *bitmap, x, y int) {
	for sy := range src.height {
		for sx := range src.width {
			if src.at(sx, sy) {
				b.set(x+sx, y+sy)
			}
		}
	}
}

// scaled repeats each dot, as print heads do.
func (b *bitmap) scaled(wide, tall int) *bitmap {
	if wide == 1 && tall == 1 {
		return b
	}
	large := newBitmap(b.width*wide, b.height*tall)
	for y := range b.height {
		for x := range b.width {
			if b.at(x, y) {
				large.fill(x*wide, y*tall, wide, tall)
			}
		}
	}
	return large
}

// turned is the picture rotated by 180 degrees.
func (b *bitmap) turned() *bitmap {
	t := newBitmap(b.width, b.height)
	for y := range b.height {
		for x := range b.width {
			if b.at(x, y) {
				t.set(b.width-1-x, b.height-1-y)
			}
		}
	}
	return t
}

// quarterTurned is the picture rotated clockwise by 90 degrees.
func (b *bitmap) quarterTurned() *bitmap {
	t := newBitmap(b.height, b.width)
	for y := range b.height {
		for x := range b.width {
			if b.at(x, y) {
				t.set(b.height-1-y, x)
			}
		}
	}
	return t
}

// inverted swaps paper and ink.
func (b *bitmap) inverted() *bitmap {
	t := newBitmap(b.width, b.height)
	for y := range b.height {
		for x := range b.width {
			if !b.at(x, y) {
				t.set(x, y)
			}
		}
	}
	return t
}
