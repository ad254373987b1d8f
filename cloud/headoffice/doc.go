// Package headoffice is the cloud's state machine: it promises the units that
// stores let it promise, orders the stores to keep the promises, and mirrors
// what the stores have recorded.
//
// A Command goes in, a Result or a *stock.Refusal comes out, and what changed
// stands in the tables. The same commands in the same order give the same
// tables on every member: the machine has no clock, no randomness and no I/O
// but the transaction. A refusal leaves everything as it was.
//
// The package also holds the reads that the gateway's pages and APIs need:
// plain functions on a transaction.
package headoffice
