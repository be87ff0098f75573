//! The system timer as a count of instructions: the emulator is told to take one nanosecond for each.

use core::sync::atomic::{AtomicU32, Ordering};
use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
use cortex_m_rt::exception;

const TIMER_PERIOD: u32 = 1 << 24;

/// Nanoseconds of the emulated board's clock: 25 MHz on mps2-an385, 20 MHz on mps2-an505, whose programs use the
/// floating-point unit's calling convention.
const NANOS_PER_TICK: u64 = if cfg!(target_abi = "eabihf") { 50 } else { 40 };

/// How often the system timer came round.
static ROUNDS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    ROUNDS.store(ROUNDS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// Starts the system timer: 24 bits, with an interrupt when it comes round. Called once.
pub fn start() {
    let mut timer = Peripherals::take().expect("the first time").SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(TIMER_PERIOD - 1);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
}

/// Instructions executed so far.
pub fn instructions() -> u64 {
    loop {
        let rounds = ROUNDS.load(Ordering::Relaxed);
        let now = SYST::get_current();
        if rounds == ROUNDS.load(Ordering::Relaxed) {
            return (u64::from(rounds) * u64::from(TIMER_PERIOD) + u64::from(TIMER_PERIOD - now)) * NANOS_PER_TICK;
        }
    }
}
