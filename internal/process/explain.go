package process

import (
	"fmt"
	"os"

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
	lang := words.Match(os.Getenv("LANG"), words.EN)
	return fmt.Sprintf("%s [%s]", words.Refusal(lang, r), r.Error())
}
