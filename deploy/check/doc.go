// Package check holds the tests that keep the code in the shape the project
// promises: who imports whom, what each program links, what the rules may use.
package check
