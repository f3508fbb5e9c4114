//go:build !linux

package projections

// onHugePages does nothing here: see hugepages_linux.go.
func onHugePages[E any]([]E) {}
