package zpl

import (
	"bytes"
	"errors"

	"holdfast.dev/hardware"
)

// What keeps a label printer from printing.
var (
	ErrOffline = errors.New("label printer does not answer")
	ErrMedia   = errors.New("labels are out")
	ErrRibbon  = errors.New("ribbon is out")
	ErrHead    = errors.New("print head is open")
	ErrPaused  = errors.New("label printer is paused")
	ErrBroken  = errors.New("label printer error")
	ErrFull    = errors.New("label printer's buffer is full")
)

// askStatus is ~HS, Host Status: three strings, each from STX to ETX CR LF.
const askStatus = "~HS\n"

const (
	stx = 0x02
	etx = 0x03
	// longestString is how many bytes one of the three has at most; the longest
	// of the manual has 45.
	longestString = 80
)

// Fields of the first string: aaa,b,c,dddd,eee,f,g,h,iii,j,k,l, and of the second:
// mmm,n,o,p,q,r,s,t,uuuuuuuu,v,www.
const (
	firstFields = 12
	paperOut    = 1
	paused      = 2
	formats     = 4 // in the receive buffer
	bufferFull  = 5
	partial     = 7 // a format is being received
	ramLost     = 9
	tooCold     = 10
	tooHot      = 11

	secondFields = 11
	headUp       = 2
	ribbonOut    = 3
	peeled       = 7 // a label waits to be taken
	labelsLeft   = 8 // of the batch
)

// parseStatus finds an answer to ~HS in what was heard.
func parseStatus(heard []byte) (s hardware.LabelStatus, found bool) {
	said := framed(heard)
	for i := 0; i+2 < len(said); i++ {
		first, ok := numbers(said[i], firstFields)
		if !ok {
			continue
		}
		second, ok := numbers(said[i+1], secondFields)
		if !ok || bytes.Count(said[i+2], []byte(",")) != 1 {
			continue
		}
		return read(first, second), true
	}
	return s, false
}

func read(first, second []int) hardware.LabelStatus {
	waiting := first[formats] + second[labelsLeft]
	if waiting == 0 && first[partial]+second[peeled] > 0 {
		waiting = 1
	}
	return hardware.LabelStatus{
		Online:     true,
		MediaOut:   first[paperOut] != 0,
		Paused:     first[paused] != 0,
		BufferFull: first[bufferFull] != 0,
		Broken:     first[ramLost]+first[tooCold]+first[tooHot] > 0,
		HeadOpen:   second[headUp] != 0,
		RibbonOut:  second[ribbonOut] != 0,
		Waiting:    waiting,
	}
}

// framed cuts what was heard into what stands between STX and ETX.
func framed(heard []byte) (all [][]byte) {
	for {
		at := bytes.IndexByte(heard, stx)
		if at < 0 {
			return all
		}
		heard = heard[at+1:]
		end := bytes.IndexAny(heard, "\x02\x03")
		if end >= 0 && end <= longestString && heard[end] == etx {
			all = append(all, heard[:end])
		}
	}
}

// numbers reads so many fields of digits.
func numbers(text []byte, fields int) ([]int, bool) {
	parts := bytes.Split(text, []byte(","))
	if len(parts) != fields {
		return nil, false
	}
	all := make([]int, fields)
	for i, part := range parts {
		if len(part) == 0 || len(part) > 8 {
			return nil, false
		}
		for _, d := range part {
			if d < '0' || d > '9' {
				return nil, false
			}
			all[i] = 10*all[i] + int(d-'0')
		}
	}
	return all, true
}

// fault names the cause that a person can remove, or nil for a ready printer.
func fault(s hardware.LabelStatus) error {
	for _, c := range []struct {
		is  bool
		why error
	}{
		{!s.Online, ErrOffline}, {s.HeadOpen, ErrHead}, {s.MediaOut, ErrMedia},
		{s.RibbonOut, ErrRibbon}, {s.Broken, ErrBroken}, {s.Paused, ErrPaused},
		{s.BufferFull, ErrFull},
	} {
		if c.is {
			return c.why
		}
	}
	return nil
}
