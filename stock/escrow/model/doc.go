// Package model walks through every reachable state of one store, one SKU and
// its cloud, to find an order of events in which a unit is promised twice, lost,
// booked twice or refused; PROOF.md says what that proves.
//
// It shares no code with the rules that it is about. [Explore] walks through the
// units and their rights, [ExploreIncarnations] through boxes, backups and the
// cloud's answer to a Hello. Each rule that was once different, and wrong, can
// be turned off: then the walk must find the wrong, by its shortest way.
package model
