//go:build race

package model

// raceDetector is on: the walks, of one goroutine, take the small bounds.
const raceDetector = true
