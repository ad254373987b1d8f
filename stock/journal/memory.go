package journal

import (
	"context"
	"errors"
)

var errNoImage = errors.New("only a journal in memory has an image")

// Image returns the bytes of the whole database of a journal in memory, as the
// disk would hold them: Options.Image opens them again, as often as wanted. A
// journal that stopped has an image too, without what its last batch did.
func (j *Journal) Image(ctx context.Context) (image []byte, err error) {
	if j.path != "" {
		return nil, errNoImage
	}
	if j.Err() == nil {
		err = j.View(ctx, func(*Tx) (err error) {
			image, err = j.writer.serialize()
			return err
		})
		return image, err
	}
	if !j.queue.claim() {
		return nil, j.Err()
	}
	defer j.queue.next()
	return j.writer.serialize()
}
