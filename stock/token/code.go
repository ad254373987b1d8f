package token

import (
	"fmt"
	"io"
	"strings"

	"holdfast.dev/stock"
)

// alphabet is what human pickup codes are made of: 31 characters of which no
// two look or sound alike.
const alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

const codeLength = 8

// maxDraws bounds how often NewCode draws again, for a source that is broken.
const maxDraws = 100

// NewCode draws a human pickup code, such as 7K3M2Q9A. There are 8·10¹¹ of
// them; every one has a letter, so that no product's number is taken for one.
func NewCode(random io.Reader) (string, error) {
	const fair = 256 / len(alphabet) * len(alphabet)
	var code []byte
	var drawn [1]byte
	for range maxDraws {
		if _, err := io.ReadFull(random, drawn[:]); err != nil {
			return "", fmt.Errorf("draw a pickup code: %w", err)
		}
		if int(drawn[0]) >= fair {
			continue
		}
		code = append(code, alphabet[int(drawn[0])%len(alphabet)])
		switch {
		case len(code) < codeLength:
		case hasLetter(string(code)):
			return string(code), nil
		default:
			code = code[:0]
		}
	}
	return "", fmt.Errorf("draw a pickup code: the source is not random")
}

// ParseCode reads a code as people write it, in either case, with spaces and
// dashes. Anything else is refused as Unreadable.
func ParseCode(typed string) (string, error) {
	code := strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(typed))
	if len(code) != codeLength || strings.Trim(code, alphabet) != "" || !hasLetter(code) {
		return "", stock.Refuse(stock.Unreadable, "a pickup code of %d characters", len(code))
	}
	return code, nil
}

// GroupCode writes a code for people: 7K3M-2Q9A.
func GroupCode(code string) string {
	if len(code) != codeLength {
		return code
	}
	return code[:codeLength/2] + "-" + code[codeLength/2:]
}

func hasLetter(code string) bool { return strings.Trim(code, "23456789") != "" }
