/* Starts a static Linux program on a bare x86-64 processor, see emulate.sh: enters long mode with the
 * AVX-512 registers switched on, answers the few system calls that glibc needs, and writes what the
 * program prints to port 0xE9, the debug console of emulators.
 *
 * A boot loader enters at `bare` as the Multiboot specification 0.6.96 has it (3.2): 32-bit protected
 * mode, no paging, interrupts off. Volumes and sections: the Software Developer's Manual of Intel. */

    .section .note.multiboot, "a", @note /* notes lie in the first 8 KiB of the file, as 3.1 asks */
    .balign 4
    .long 0x1BADB002, 0, -0x1BADB002 /* magic, flags, checksum */

    .code32
    .text
    .globl bare
bare:
    /* Long mode (volume 3, 10.8.5), the first 4 GiB mapped one to one. */
    mov $(1 << 5 | 1 << 9 | 1 << 10 | 1 << 16 | 1 << 18), %eax
    /* CR4: PAE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE */
    mov %eax, %cr4
    mov $level4, %eax
    mov %eax, %cr3
    mov $0xC0000080, %ecx /* EFER: LME, SCE */
    mov $(1 << 8 | 1 << 0), %eax
    xor %edx, %edx
    wrmsr
    mov $0x80000023, %eax /* CR0: PG, NE, MP, PE */
    mov %eax, %cr0
    lgdt descriptors_place
    ljmp $8, $1f

    .code64
1:  xor %ecx, %ecx /* XCR0 (volume 1, 13.3): x87, SSE, AVX and the three parts of AVX-512 */
    mov $0xE7, %eax
    xor %edx, %edx
    xsetbv
    mov $0xC0000081, %ecx /* STAR: CS */
    mov $8, %edx
    wrmsr
    mov $0xC0000082, %ecx /* LSTAR */
    mov $system_call, %eax
    xor %edx, %edx
    wrmsr
    mov $0xC0000084, %ecx /* FMASK */
    xor %eax, %eax
    wrmsr
    lidt no_interrupts
    mov $arguments, %esp
    jmp _start

/* Still at privilege 0, so the return is a jump. Of the registers only RAX, RCX and R11 are free, and
 * below the stack pointer lies the red zone. */
system_call:
    cmp $1, %eax
    je write
    cmp $12, %eax
    je brk
    cmp $158, %eax
    je arch_prctl
    cmp $231, %eax
    je exit_group
    mov $-38, %rax /* ENOSYS, with which glibc does without */
    jmp *%rcx

write: /* whatever the file */
    mov %rcx, %r11
    mov %rdx, %rax
    mov %rdx, %rcx
    mov $0xE9, %edx
    rep outsb
    sub %rax, %rsi
    mov %rax, %rdx
    jmp *%r11

brk: /* 0 asks where the heap ends */
    test %rdi, %rdi
    jz 1f
    mov %rdi, heap_end
1:  mov heap_end, %rax
    jmp *%rcx

arch_prctl: /* ARCH_SET_FS */
    wrfsbase %rsi
    xor %eax, %eax
    jmp *%rcx

exit_group:
    ud2 /* without interrupt descriptors a triple fault, where the emulator stops */

    .data
    .balign 4096
level4:
    .quad level3 + 3 /* present, writable */
    .balign 4096
level3:
    .quad 0x83, 0x40000083, 0x80000083, 0xC0000083 /* pages of 1 GiB */
    .balign 4096
descriptors:
    .quad 0, 0x00209A0000000000 /* CS: 64-bit, privilege 0 */
descriptors_place:
    .word . - descriptors - 1
    .long descriptors
no_interrupts:
    .word 0
    .quad 0

heap_end:
    .quad heap

    .balign 16
    .skip 1 << 16 /* the stack, and what lies on it at the start of a program (AMD64 ABI, 3.4.1) */
arguments:
    .quad 3, program, level, rounds, 0
    .quad 0 /* no environment */
    .quad 6, 4096, 25, descriptors, 0, 0 /* AT_PAGESZ; AT_RANDOM, any 16 bytes; AT_NULL */
program:
    .asciz "kernels"
level:
    .asciz "avx512"
rounds:
    .asciz ROUNDS

    .bss
    .balign 4096
heap:
    .skip 1 << 22

    .section .note.GNU-stack, "", @progbits
