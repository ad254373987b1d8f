package printer

// counted is a frame with its length, lowest byte first, in size bytes at the
// given place.
func counted(at, size int) func([]byte) int {
	return func(cmd []byte) int {
		if len(cmd) < at+size {
			return 0
		}
		n := 0
		for i := range size {
			n |= int(cmd[at+i]) << (8 * i)
		}
		return at + size + n
	}
}

const maxList = 300 // bytes of a list that ends in a certain byte

// until is a frame that ends with a certain byte.
func until(end byte, from int) func([]byte) int {
	return func(cmd []byte) int {
		if last := len(cmd) - 1; last >= from && cmd[last] == end || len(cmd) >= maxList {
			return len(cmd)
		}
		return 0
	}
}

func word(cmd []byte, at int) int { return int(cmd[at]) | int(cmd[at+1])<<8 }

// columns is a bit image: columns at the given place, so many bytes each.
func columns(at, bytes int) func([]byte) int {
	return func(cmd []byte) int {
		if len(cmd) < at+2 {
			return 0
		}
		return at + 2 + bytes*word(cmd, at)
	}
}

func bitImage(cmd []byte) int { // ESC * m nL nH, 1 or 3 bytes a column
	if len(cmd) < 5 {
		return 0
	}
	if m := low(cmd[2]); m == 32 || m == 33 {
		return 5 + 3*word(cmd, 3)
	}
	return 5 + word(cmd, 3)
}

// userCharacters is ESC & y c1 c2 [x d1…d(x·y)] for each of c1 to c2.
func userCharacters(cmd []byte) int {
	if len(cmd) < 5 {
		return 0
	}
	at := 5
	for range int(cmd[4]) - int(cmd[3]) + 1 {
		if len(cmd) <= at {
			return 0
		}
		at += 1 + int(cmd[at])*int(cmd[2])
	}
	return at
}

// storedImages is FS q n [xL xH yL yH d1…d(8·x·y)] n times.
func storedImages(cmd []byte) int {
	if len(cmd) < 3 {
		return 0
	}
	at := 3
	for range int(cmd[2]) {
		if len(cmd) < at+4 {
			return 0
		}
		at += 4 + 8*word(cmd, at)*word(cmd, at+2)
	}
	return at
}

func storedMemory(cmd []byte) int { // FS g 1/2 m a1-a4 nL nH, data for 1
	if len(cmd) < 10 {
		return 0
	}
	if cmd[2] == 1 || cmd[2] == '1' {
		return 10 + word(cmd, 8)
	}
	return 10
}

func downloaded(cmd []byte) int { // GS * x y, 8·x·y bytes
	if len(cmd) < 4 {
		return 0
	}
	return 4 + 8*int(cmd[2])*int(cmd[3])
}

func counter(cmd []byte) int { // GS C 0/1/2/;
	if len(cmd) < 3 {
		return 0
	}
	switch cmd[2] {
	case 0, '0', 2, '2':
		return 5
	case 1, '1':
		return 9
	case ';': // five decimal numbers, each closed by a semicolon
		ends := 0
		for i, b := range cmd[3:] {
			if b == ';' {
				ends++
			}
			if ends == 5 || i == 40 {
				return 4 + i
			}
		}
		return 0
	}
	return 3
}

func raster(cmd []byte) int { // GS v 0 m xL xH yL yH, x·y bytes
	if len(cmd) < 8 {
		return 0
	}
	return 8 + word(cmd, 4)*word(cmd, 6)
}

func cutting(cmd []byte) int { // GS V m, or m n with feed
	if len(cmd) < 3 {
		return 0
	}
	switch cmd[2] {
	case 65, 66, 97, 98, 103, 104:
		return 4
	}
	return 3
}

func barcode(cmd []byte) int { // GS k m … NUL, or m n and n bytes
	switch {
	case len(cmd) < 3:
		return 0
	case cmd[2] <= 6:
		return until(0, 3)(cmd)
	case len(cmd) < 4:
		return 0
	}
	return 4 + int(cmd[3])
}

func statusRequest(cmd []byte) int { // DLE EOT n, or n a
	if len(cmd) < 3 {
		return 0
	}
	if n := cmd[2]; n == 7 || n == 8 || n == 18 {
		return 4
	}
	return 3
}

func realTimeRequest(cmd []byte) int { // DLE DC4 fn and parameters
	if len(cmd) < 3 {
		return 0
	}
	switch cmd[2] {
	case 1, 2, 3, 6:
		return 5
	case 8:
		return 10
	}
	return 4
}

// starImage is ESC k n1 n2 and 24 rows of n1 + 256·n2 bytes.
func starImage(cmd []byte) int {
	if len(cmd) < 4 {
		return 0
	}
	return 4 + 24*word(cmd, 2)
}

// starRaster is ESC GS S m xL xH yL yH n and x·y bytes.
func starRaster(cmd []byte) int {
	if len(cmd) < 9 {
		return 0
	}
	return 9 + word(cmd, 4)*word(cmd, 6)
}

// starRasterMode is ESC * r and a letter; some have digits that end in NUL.
func starRasterMode(cmd []byte) int {
	switch {
	case len(cmd) < 4:
		return 0
	case cmd[3] == 'A', cmd[3] == 'B', cmd[3] == 'C':
		return 4
	}
	return until(0, 4)(cmd)
}
