// A guest of some 400 bytes that does what every kernel does in its first milliseconds: it turns on paging, enters
// 64-bit mode, asks CPUID, uses a vector register, takes five timer interrupts out of HLT. Then it ends its machine
// through QEMU's isa-debug-exit port: 0x2a for success, 0x55 for an exception.
//
// Firmware alone proves nothing: some hosts run real mode by emulation and stop at the first SSE instruction.
//
// Multiboot, loaded at 1 MiB. Page tables at +0x9000..+0xc000, interrupt table at +0xc000, stack below +0x8000.

    .set .Lbase, 0x100000
    .pushsection .rodata.cumulet_probe, "a", @progbits
    .globl cumulet_probe_start
    .hidden cumulet_probe_start
    .globl cumulet_probe_end
    .hidden cumulet_probe_end
    .balign 8
cumulet_probe_start:
.Lstart:
    .long 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
    .long .Lbase                                  // this header
    .long .Lbase, .Lbase + (.Lend - .Lstart)      // load from, to
    .long .Lbase + 0x10000                        // cleared up to
    .long .Lbase + (.Lentry - .Lstart)

    .code32
.Lentry:
    cli
    cld
    movl $(.Lbase + 0x8000), %esp
    movl $(.Lbase + 0x9000), %edi
    movl $(0x3000 / 4), %ecx
    xorl %eax, %eax
    rep stosl
    // The first GiB, mapped to itself by 2 MiB pages.
    movl $(.Lbase + 0xa003), .Lbase + 0x9000
    movl $(.Lbase + 0xb003), .Lbase + 0xa000
    movl $(.Lbase + 0xb000), %edi
    movl $0x83, %eax
.Lmap:
    movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    cmpl $(.Lbase + 0xc000), %edi
    jne .Lmap
    movl $(.Lbase + 0x9000), %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x620, %eax                              // PAE, SSE
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax                              // long mode
    wrmsr
    movl %cr0, %eax
    orl $0x80000002, %eax                         // paging
    andl $0xfffffffb, %eax
    movl %eax, %cr0
    lgdt .Lbase + (.Lgdtr - .Lstart)
    .byte 0xea                                    // far jump to the 64-bit segment
    .long .Lbase + (.Llong - .Lstart)
    .word 8

    .code64
.Llong:
    movl $16, %eax
    movl %eax, %ss
    movl %eax, %ds
    movl %eax, %es
    xorl %eax, %eax
    cpuid
    xorps %xmm0, %xmm0
    movaps %xmm0, %xmm1
    // 256 gates: 32 is the timer, the others are faults.
    movl $(.Lbase + 0xc000), %edi
    xorl %ecx, %ecx
.Lgate:
    movl $(.Lbase + (.Lfault - .Lstart)), %eax
    cmpl $32, %ecx
    jne .Lfill
    movl $(.Lbase + (.Ltick - .Lstart)), %eax
.Lfill:
    movw %ax, (%rdi)
    movw $8, 2(%rdi)
    movw $0x8e00, 4(%rdi)
    shrl $16, %eax
    movw %ax, 6(%rdi)
    movq $0, 8(%rdi)
    addq $16, %rdi
    incl %ecx
    cmpl $256, %ecx
    jne .Lgate
    lidt .Lbase + (.Lidtr - .Lstart)
    // Interrupt controller: timer at vector 32, all else masked.
    movb $0x11, %al
    outb %al, $0x20
    movb $0x20, %al
    outb %al, $0x21
    movb $4, %al
    outb %al, $0x21
    movb $1, %al
    outb %al, $0x21
    movb $0xfe, %al
    outb %al, $0x21
    movb $0xff, %al
    outb %al, $0xa1
    // Timer: 1 kHz.
    movb $0x34, %al
    outb %al, $0x43
    movb $0xa9, %al
    outb %al, $0x40
    movb $4, %al
    outb %al, $0x40
    xorl %ebx, %ebx
    sti
.Lwait:
    hlt
    cmpl $5, %ebx
    jb .Lwait
    movb $0x2a, %al
    outb %al, $0xf4
.Ldone:
    hlt
    jmp .Ldone

.Ltick:
    pushq %rax
    incl %ebx
    movb $0x20, %al
    outb %al, $0x20
    popq %rax
    iretq
.Lfault:
    movb $0x55, %al
    outb %al, $0xf4
    jmp .Lfault

    .balign 8
.Lgdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
.Lgdtr:
    .word 23
    .long .Lbase + (.Lgdt - .Lstart)
    .long 0
.Lidtr:
    .word 4095
    .quad .Lbase + 0xc000
.Lend:
cumulet_probe_end:
    .popsection
