package printer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Receipt is a piece of paper that was cut off with something printed on it.
type Receipt struct {
	Number   int
	PNG      string    // path of the picture: 1 bit, 203 dpi
	Text     string    // transcript, also in the .txt beside the picture
	At       time.Time // when it was cut
	Symbols  []string  // contents of the codes; empty for those of an earlier run
	Warnings []string  // what a technician should look at; as Symbols
	Commands []Parsed  // what was sent for it; as Symbols
}

const maxReceipts = 1000 // remembered; the files of older ones stay

var receiptName = regexp.MustCompile(`^receipt-(\d{6,})\.(png|txt)$`)

// earlier reads the receipts of earlier runs and the highest number in use.
func earlier(dir string) ([]Receipt, int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, fmt.Errorf("list receipts: %w", err)
	}
	var found []Receipt
	highest := 0
	for _, e := range entries {
		parts := receiptName.FindStringSubmatch(e.Name())
		if parts == nil {
			continue
		}
		number, err := strconv.Atoi(parts[1])
		if err != nil {
			continue
		}
		highest = max(highest, number)
		info, err := e.Info()
		if parts[2] != "png" || err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "receipt-"+parts[1]+".txt"))
		if err != nil {
			continue
		}
		found = append(found, Receipt{Number: number, PNG: filepath.Join(dir, e.Name()),
			Text: string(text), At: info.ModTime()})
	}
	slices.SortFunc(found, func(a, b Receipt) int { return a.Number - b.Number })
	return found[max(0, len(found)-maxReceipts):], highest, nil
}

// save writes the transcript, then the picture, each whole or not at all.
func save(dir string, number int, piece sheet) (Receipt, error) {
	base := filepath.Join(dir, fmt.Sprintf("receipt-%06d", number))
	picture, err := encodePNG(piece.picture)
	if err != nil {
		return Receipt{}, err
	}
	if err := replace(base+".txt", []byte(piece.text)); err != nil {
		return Receipt{}, err
	}
	if err := replace(base+".png", picture); err != nil {
		return Receipt{}, err
	}
	return Receipt{Number: number, PNG: base + ".png", Text: piece.text, At: piece.at,
		Symbols: piece.symbols, Warnings: piece.warnings, Commands: piece.done}, nil
}

func replace(path string, data []byte) error {
	if err := os.WriteFile(path+".part", data, 0o644); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	return nil
}

// encodePNG gives a picture of two colours with its resolution.
func encodePNG(b *bitmap) ([]byte, error) {
	picture := image.NewPaletted(image.Rect(0, 0, b.width, max(1, b.height)),
		color.Palette{color.White, color.Black})
	for y := range b.height {
		for x := range b.width {
			if b.at(x, y) {
				picture.Pix[y*picture.Stride+x] = 1
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return nil, fmt.Errorf("draw receipt: %w", err)
	}
	const headerEnd = 8 + 25 // signature and IHDR
	return slices.Insert(file.Bytes(), headerEnd, resolution()...), nil
}

// resolution is a pHYs chunk of 8 dots per mm.
func resolution() []byte {
	chunk := []byte("\x00\x00\x00\x09pHYs")
	chunk = binary.BigEndian.AppendUint32(chunk, perMM*1000)
	chunk = binary.BigEndian.AppendUint32(chunk, perMM*1000)
	chunk = append(chunk, 1) // per metre
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}
