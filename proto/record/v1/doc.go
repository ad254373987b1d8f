// Package recordv1 holds everything that is stored for ever: the records of a
// node's journal, the directives of the cloud to a store, and the commands of
// the cloud's own log.
package recordv1
