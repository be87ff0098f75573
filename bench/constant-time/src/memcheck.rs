//! Requests to valgrind's memcheck: which bytes it is to take for undefined.
//!
//! A program asks the valgrind it runs under by a sequence of instructions that does nothing on a processor: the 64-bit
//! register `rdi` is rotated by 128 bits in all. See `valgrind.h` and `memcheck.h`.

/// `VALGRIND_RUNNING_ON_VALGRIND`.
const RUNNING_ON_VALGRIND: usize = 0x1001;
/// `VALGRIND_MAKE_MEM_UNDEFINED`. The requests of a tool start at its two letters.
const MAKE_MEM_UNDEFINED: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16 | 1;
/// `VALGRIND_MAKE_MEM_DEFINED`.
const MAKE_MEM_DEFINED: usize = MAKE_MEM_UNDEFINED + 1;

/// Whether there is a valgrind that listens.
pub(crate) fn is_listening() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0) != 0
}

/// Makes bytes secret: from here on memcheck reports every jump and every address that depends on them.
pub(crate) fn poison(bytes: &mut [u8]) {
    request(MAKE_MEM_UNDEFINED, bytes.as_mut_ptr().expose_provenance(), bytes.len());
}

/// A secret copy of bytes.
pub(crate) fn secret<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    poison(&mut bytes);
    bytes
}

/// Makes a value public, whatever it was computed from. Memory that a reference in it leads to stays as it is.
pub(crate) fn declassify<T: ?Sized>(value: &mut T) {
    request(MAKE_MEM_DEFINED, (&raw mut *value).cast::<u8>().expose_provenance(), size_of_val(value));
}

/// Asks valgrind; zero without one.
#[cfg(target_arch = "x86_64")]
fn request(number: usize, address: usize, len: usize) -> usize {
    let arguments = [number, address, len, 0, 0, 0];
    let mut answer = 0;
    // SAFETY: on a processor the instructions leave every register as it was, and touch no memory. Under valgrind the
    // request reads the six arguments, changes only what memcheck knows about the bytes named, and answers in `rdx`.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") answer,
            options(nostack),
        );
    }
    answer
}

/// The sequence of instructions is known here for x86-64 only.
#[cfg(not(target_arch = "x86_64"))]
fn request(_number: usize, _address: usize, _len: usize) -> usize {
    0
}
