package node

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"os"

	"holdfast.dev/hardware/receipt"
)

// Bounds of a logo: as wide as the narrowest paper prints, and short enough to
// be read over in a second.
const (
	maxLogoWidth  = 384     // dots, 48 mm
	maxLogoHeight = 240     // dots, 30 mm
	maxLogoBytes  = 1 << 20 // of the file
)

// readLogo reads the picture for the head of receipts. No path is no logo.
func readLogo(path string) (receipt.Image, error) {
	if path == "" {
		return receipt.Image{}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return receipt.Image{}, fmt.Errorf("logo: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxLogoBytes+1))
	if err != nil {
		return receipt.Image{}, fmt.Errorf("logo: %w", err)
	}
	if len(data) > maxLogoBytes {
		return receipt.Image{}, fmt.Errorf("logo %s: more than %d bytes", path, maxLogoBytes)
	}
	size, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return receipt.Image{}, fmt.Errorf("logo %s: want a PNG picture: %w", path, err)
	}
	if size.Width > maxLogoWidth || size.Height > maxLogoHeight {
		return receipt.Image{}, fmt.Errorf("logo %s: %d by %d dots: want at most %d by %d; it is printed dot by dot",
			path, size.Width, size.Height, maxLogoWidth, maxLogoHeight)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return receipt.Image{}, fmt.Errorf("logo %s: %w", path, err)
	}
	return receipt.FromImage(img), nil
}
