package printer

// Lead bytes of commands.
const (
	dle = 0x10
	esc = 0x1b
	fs  = 0x1c
	gs  = 0x1d
	lf  = 0x0a
)

// frameLength says how many bytes the command has that cmd begins, or 0 if
// more of it must be seen first. Known is false for a code that no manual
// names; its two bytes are skipped.
func frameLength(cmd []byte) (length int, known bool) {
	switch cmd[0] {
	case esc, fs, gs, dle:
	default:
		return 1, true
	}
	if len(cmd) < 2 {
		return 0, true
	}
	var table map[byte]shape
	switch cmd[0] {
	case esc:
		table = escShapes
	case fs:
		table = fsShapes
	case gs:
		table = gsShapes
	default:
		table = dleShapes
	}
	s, ok := table[cmd[1]]
	switch {
	case !ok:
		return 2, false
	case s.length != nil:
		return s.length(cmd), true
	}
	return s.fixed, true
}

// shape is the form of one command: a fixed length, or a length in its bytes.
type shape struct {
	fixed  int
	length func(cmd []byte) int
}

func fixed(bytes string, length int) map[byte]shape {
	shapes := map[byte]shape{}
	for i := range len(bytes) {
		shapes[bytes[i]] = shape{fixed: length}
	}
	return shapes
}

func joined(tables ...map[byte]shape) map[byte]shape {
	all := map[byte]shape{}
	for _, table := range tables {
		for b, s := range table {
			all[b] = s
		}
	}
	return all
}

var escShapes = joined(
	fixed("@2LSimv<\x0c", 2),
	fixed("! -3=?AEGJKMRTUVadertux{%", 3),
	fixed("$\\cf", 4),
	fixed("p", 5),
	fixed("W", 10),
	map[byte]shape{
		'D': {length: untilNUL(2)},
		'B': {fixed: 4},
		'(': {length: counted(3, 2)},
		'*': {length: bitImage},
		'&': {length: userCharacters},
	},
)

var fsShapes = joined(
	fixed("&.", 2),
	fixed("!-CW", 3),
	fixed("Sp?", 4),
	map[byte]shape{
		'2': {fixed: 76},
		'q': {length: storedImages},
		'g': {length: storedMemory},
		'(': {length: counted(3, 2)},
	},
)

var gsShapes = joined(
	fixed(":c", 2),
	fixed("!/BEHITabfhjrw", 3),
	fixed("$LPW\\", 4),
	fixed("^z", 5),
	fixed("g", 6),
	map[byte]shape{
		'(': {length: counted(3, 2)},
		'8': {length: counted(3, 4)},
		'*': {length: downloaded},
		'C': {length: counter},
		'Q': {length: raster},
		'V': {length: cutting},
		'k': {length: barcode},
		'v': {length: raster},
	},
)

var dleShapes = map[byte]shape{
	0x04: {length: func(cmd []byte) int {
		if len(cmd) < 3 {
			return 0
		}
		if n := cmd[2]; n == 7 || n == 8 || n == 18 {
			return 4
		}
		return 3
	}},
	0x05: {fixed: 3},
	0x14: {length: func(cmd []byte) int {
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
	}},
}

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

const maxList = 300 // bytes of a list that ends in NUL

func untilNUL(from int) func([]byte) int {
	return func(cmd []byte) int {
		if last := len(cmd) - 1; last >= from && cmd[last] == 0 || len(cmd) >= maxList {
			return len(cmd)
		}
		return 0
	}
}

func word(cmd []byte, at int) int { return int(cmd[at]) | int(cmd[at+1])<<8 }

func bitImage(cmd []byte) int { // ESC * m nL nH, 1 or 3 bytes a column
	if len(cmd) < 5 {
		return 0
	}
	if m := cmd[2]; m == 32 || m == 33 {
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
		return untilNUL(3)(cmd)
	case len(cmd) < 4:
		return 0
	}
	return 4 + int(cmd[3])
}
