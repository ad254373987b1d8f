package process

import (
	"fmt"
	"os"
	"strings"

	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// Explain says an error to the person at the terminal: a refusal in the words
// that pages use, with the developers' detail behind it.
func Explain(err error) string {
	r, ok := stock.AsRefusal(err)
	if !ok {
		return err.Error()
	}
	locale, _, _ := strings.Cut(os.Getenv("LANG"), "_")
	lang, _ := words.ParseLang(locale)
	return fmt.Sprintf("%s [%s]", words.Refusal(lang, r), r.Error())
}
