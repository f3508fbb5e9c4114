#include "textflag.h"

// func callClock(f uintptr, clock int32, t *unix.Timespec) (failed int32)
//
// What is called uses this frame as its stack. It is larger than a page: kernels
// built with stack probes touch the page below.
TEXT ·callClock(SB), 0, $4352-28
	MOVQ	f+0(FP), AX
	MOVL	clock+8(FP), DI
	MOVQ	t+16(FP), SI
	MOVQ	SP, R12 // C keeps R12
	LEAQ	4352(SP), SP
	ANDQ	$~15, SP // C wants that
	CALL	AX
	MOVQ	R12, SP
	MOVL	AX, failed+24(FP)
	RET

// func stackProbe() uintptr
TEXT ·stackProbe(SB), NOSPLIT, $0-8
	LEAQ	probe<>(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

TEXT probe<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ	SP, (SI)
	XORL	AX, AX
	RET
