package journal

import (
	"context"
	"errors"
)

// imager is what the driver can do with a database in memory.
type imager interface {
	Serialize() ([]byte, error)
	Deserialize(image []byte) error
}

var errNoImage = errors.New("only a journal in memory has an image")

// Image returns the bytes of the whole database of a journal in memory, as the
// disk would hold them: Options.Image opens them again, as often as wanted. A
// journal that stopped has an image too, without what its last batch did.
func (j *Journal) Image(ctx context.Context) (image []byte, err error) {
	raw, ok := j.writer.raw.(imager)
	if !ok || j.path != "" {
		return nil, errNoImage
	}
	if j.Err() == nil {
		err = j.View(ctx, func(*Tx) (err error) {
			image, err = raw.Serialize()
			return err
		})
		return image, err
	}
	if !j.queue.claim() {
		return nil, j.Err()
	}
	defer j.queue.next()
	return raw.Serialize()
}

// restore fills a new database in memory.
func (c *conn) restore(image []byte) error {
	if len(image) == 0 {
		return nil
	}
	raw, ok := c.raw.(imager)
	if !ok {
		return errNoImage
	}
	return raw.Deserialize(image)
}
