package projections

import (
	"syscall"
	"unsafe"
)

const (
	hugePage     = 2 << 20
	madvHugePage = 14 // MADV_HUGEPAGE of madvise(2)
)

// onHugePages asks the kernel to keep a large array in pages of 2 MiB: look-ups
// at random places otherwise wait for the page tables as long as for the
// memory itself. It is advice; where it is not taken, look-ups are slower and
// nothing else. The range is rounded outwards, so some neighbours on the heap
// come to stand in such pages too.
func onHugePages[E any](s []E) {
	size := uintptr(len(s)) * unsafe.Sizeof(s[0])
	if size < hugePage {
		return
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	end := (start + size + hugePage - 1) &^ (hugePage - 1)
	start &^= hugePage - 1
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, start, end-start, madvHugePage)
}
