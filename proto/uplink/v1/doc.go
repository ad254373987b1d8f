// Package uplinkv1 is the wire between a node and the cloud.
package uplinkv1
