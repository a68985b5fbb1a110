// An operating system in one sector. It tells on the serial port that it is up and how often it has been started,
// a number it keeps in the next sector of its disk. It powers off when the power button is pressed or an `o` comes
// in by the serial port, and resets on an `r`.

    .pushsection .rodata.cumulet_guest, "a", @progbits
    .globl cumulet_guest_start
    .hidden cumulet_guest_start
    .globl cumulet_guest_end
    .hidden cumulet_guest_end
    .code16
cumulet_guest_start:
.Lgstart:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    movb %dl, 0x7000
    sti
    movw $(0x7c00 + (.Lpacket - .Lgstart)), %si
    movb $0x42, %ah                     // read the counter's sector to 0x8000
    int $0x13
    incb 0x8000
    movw $(0x7c00 + (.Lpacket - .Lgstart)), %si
    movb 0x7000, %dl
    movw $0x4300, %ax                   // and write it back
    int $0x13
    movw $(0x7c00 + (.Lup - .Lgstart)), %si
    call .Lprint
    movb 0x8000, %al
    addb $0x30, %al
    call .Lput
    movw $(0x7c00 + (.Lline - .Lgstart)), %si
    call .Lprint
    movw $0x602, %dx                    // listen to the power button
    movw $0x100, %ax
    outw %ax, %dx
.Lloop:
    hlt
    movw $0x600, %dx
    inw %dx, %ax
    testw $0x100, %ax
    jnz .Lbutton
    movw $0x3fd, %dx
    inb %dx, %al
    testb $1, %al
    jz .Lloop
    movw $0x3f8, %dx
    inb %dx, %al
    cmpb $0x6f, %al
    je .Loff
    cmpb $0x72, %al
    jne .Lloop
    movw $0xcf9, %dx
    movb $6, %al
    outb %al, %dx
    jmp .Lloop
.Lbutton:
    movw $(0x7c00 + (.Lpressed - .Lgstart)), %si
    call .Lprint
.Loff:
    movw $0x604, %dx
    movw $0x2000, %ax
    outw %ax, %dx
    jmp .Lloop

.Lprint:
    lodsb
    testb %al, %al
    jz .Lprinted
    call .Lput
    jmp .Lprint
.Lprinted:
    ret
.Lput:
    pushw %ax
    movw $0x3fd, %dx
.Lbusy:
    inb %dx, %al
    testb $0x20, %al
    jz .Lbusy
    popw %ax
    movw $0x3f8, %dx
    outb %al, %dx
    ret

.Lup:
    .asciz "guest is up, start "
.Lline:
    .asciz "\r\n"
.Lpressed:
    .asciz "power button\r\n"
    .balign 4
.Lpacket:
    .word 16, 1, 0x8000, 0
    .quad 1
    .org .Lgstart + 510
    .word 0xaa55
cumulet_guest_end:
    .popsection
    .code64
