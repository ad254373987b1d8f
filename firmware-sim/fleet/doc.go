// Package fleet runs stores and their cloud in one process, in virtual time and
// from a seed, breaks what can break, and checks after every event that no
// promise lacks its unit.
package fleet
