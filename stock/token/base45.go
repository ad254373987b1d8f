package token

import "strings"

// base45 is the alphabet of a QR code's alphanumeric mode, RFC 9285. Its space
// is never last in a text, so that trimming does no harm.
const base45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// maxBase45 bounds a token with its prefix to what scanners deliver at once.
const maxBase45 = 512 - len(prefix)

func toBase45(b []byte) string {
	var s strings.Builder
	s.Grow(len(b)/2*3 + 2)
	for ; len(b) >= 2; b = b[2:] {
		n := int(b[0])<<8 | int(b[1])
		s.WriteByte(base45[n%45])
		s.WriteByte(base45[n/45%45])
		s.WriteByte(base45[n/45/45])
	}
	if len(b) == 1 {
		s.WriteByte(base45[b[0]%45])
		s.WriteByte(base45[b[0]/45])
	}
	return s.String()
}

func fromBase45(s string) ([]byte, bool) {
	if len(s)%3 == 1 {
		return nil, false
	}
	b := make([]byte, 0, len(s)/3*2+1)
	for ; len(s) > 0; s = s[min(3, len(s)):] {
		n, weight := 0, 1
		for i := range min(3, len(s)) {
			digit := strings.IndexByte(base45, s[i])
			if digit < 0 {
				return nil, false
			}
			n += digit * weight
			weight *= 45
		}
		switch {
		case len(s) >= 3 && n <= 0xffff:
			b = append(b, byte(n>>8), byte(n))
		case len(s) == 2 && n <= 0xff:
			b = append(b, byte(n))
		default:
			return nil, false
		}
	}
	return b, true
}
