//! The second core as a helper: it runs one closure at a time for [`join`] and otherwise sleeps, in RAM and with its
//! interrupts off.
//!
//! That is why nobody has to pause it for a write to flash: those happen between commands' computations, on core 0,
//! when the helper is asleep in RAM by construction. [`is_parked`] lets the flash driver make sure.

use crate::power;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use embassy_rp::Peri;
use embassy_rp::multicore::{self, Stack};
use embassy_rp::pac::SIO;
use embassy_rp::peripherals::CORE1;
use static_cell::ConstStaticCell;

/// Stack of the helper, in bytes: half of an RSA operation.
const STACK: usize = 30 * 1024;

/// There is no second core, or it does not answer.
const ABSENT: u32 = 0;
/// Asleep in RAM.
const PARKED: u32 = 1;
/// A job was given to it.
const READY: u32 = 2;
/// At work, in flash.
const AT_WORK: u32 = 3;
/// It met a fault or a panic, and stopped.
const FAILED: u32 = 4;

static STATE: AtomicU32 = AtomicU32::new(ABSENT);
/// The job, and the function that knows its type.
static JOB: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
static RUN: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

static CORE_STACK: ConstStaticCell<Stack<STACK>> = ConstStaticCell::new(Stack::new());

type Run = unsafe fn(*mut ());

/// Starts the second core if there is one that answers.
pub(crate) fn start(core: Peri<'static, CORE1>) {
    if !answers() {
        return;
    }
    multicore::spawn_core1(core, CORE_STACK.take(), || {
        cortex_m::interrupt::disable();
        // SAFETY: interrupts are off and nothing is needed from flash while it sleeps.
        unsafe { sleep_and_work() }
    });
    while STATE.load(Ordering::Acquire) != PARKED {
        core::hint::spin_loop();
    }
}

/// Whether a core waits behind the mailbox: after a reset the boot ROM of core 1 echoes a zero sent to it.
fn answers() -> bool {
    let mailbox = SIO.fifo();
    let soon = |condition: &dyn Fn() -> bool| (0..100_000).any(|_| condition());
    // What is left of an earlier life: at most eight words.
    for _ in 0..8 {
        if mailbox.st().read().vld() {
            let _ = mailbox.rd().read();
        }
    }
    cortex_m::asm::sev();
    if !soon(&|| mailbox.st().read().rdy()) {
        return false;
    }
    mailbox.wr().write_value(0);
    cortex_m::asm::sev();
    soon(&|| mailbox.st().read().vld()) && mailbox.rd().read() == 0
}

/// Whether the helper cannot be touching flash.
pub(crate) fn is_parked() -> bool {
    matches!(STATE.load(Ordering::Acquire), ABSENT | PARKED)
}

/// Whether this runs on the second core.
pub(crate) fn is_current() -> bool {
    SIO.cpuid().read() != 0
}

/// Stops the second core for good, which calls this. Core 0 resets the chip as soon as it looks for the result of the job: it
/// alone can wipe the memory that both work in.
pub(crate) fn fail() -> ! {
    STATE.store(FAILED, Ordering::Release);
    cortex_m::asm::sev();
    loop {
        cortex_m::asm::wfe();
    }
}

/// The life of core 1.
///
/// # Safety
/// Called on core 1 with interrupts off.
#[inline(never)]
#[unsafe(link_section = ".data.ram")]
unsafe fn sleep_and_work() -> ! {
    loop {
        STATE.store(PARKED, Ordering::Release);
        // SAFETY: an instruction without operands: it wakes core 0, which may wait for this.
        unsafe { core::arch::asm!("sev") };
        while STATE.load(Ordering::Acquire) != READY {
            // SAFETY: as above. Core 0 sends an event after it set the state.
            unsafe { core::arch::asm!("wfe") };
        }
        STATE.store(AT_WORK, Ordering::Release);
        // SAFETY: `join` stored a function of this type and its argument before it set the state, and waits until the
        // state is PARKED again before either goes away.
        unsafe {
            let run: Run = core::mem::transmute(RUN.load(Ordering::Acquire));
            run(JOB.load(Ordering::Acquire));
        }
    }
}

/// A closure and the place for its result.
struct Job<F, R> {
    work: Option<F>,
    result: MaybeUninit<R>,
}

/// Runs the closure of a job.
///
/// # Safety
/// `job` points to a `Job<F, R>` that nobody else uses now.
unsafe fn run<F: FnOnce() -> R, R>(job: *mut ()) {
    // SAFETY: by the contract above.
    let job = unsafe { &mut *job.cast::<Job<F, R>>() };
    if let Some(work) = job.work.take() {
        job.result.write(work());
    }
}

/// Runs both closures, side by side where there is a second core.
pub(crate) fn join<A, B: Send>(a: impl FnOnce() -> A, b: impl FnOnce() -> B + Send) -> (A, B) {
    if STATE.load(Ordering::Acquire) != PARKED {
        return (a(), b());
    }
    fn with<F: FnOnce() -> R + Send, R: Send>(work: F) -> (Job<F, R>, Run) {
        (Job { work: Some(work), result: MaybeUninit::uninit() }, run::<F, R>)
    }
    let (mut job, run) = with(b);
    JOB.store(ptr::from_mut(&mut job).cast(), Ordering::Release);
    RUN.store(run as *mut (), Ordering::Release);
    STATE.store(READY, Ordering::Release);
    cortex_m::asm::sev();
    let a = a();
    loop {
        match STATE.load(Ordering::Acquire) {
            PARKED => break,
            FAILED => power::reset(),
            _ => cortex_m::asm::wfe(),
        }
    }
    // SAFETY: the helper is parked again, so it ran the closure, which stored its result.
    (a, unsafe { job.result.assume_init() })
}
