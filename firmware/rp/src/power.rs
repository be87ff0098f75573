//! Watchdog, reset, boot loader.

use crate::chip;
use core::ptr;
use embassy_rp::Peri;
use embassy_rp::pac;
use embassy_rp::peripherals::WATCHDOG;
use embassy_rp::watchdog::Watchdog;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};
use ferrite_card::Restart;

/// The chip is reset when its interrupts stand still for so long.
const LIMIT: Duration = Duration::from_secs(8);
const FEED_EVERY: Duration = Duration::from_secs(1);

/// How long the answer to the command that asks for a restart has to reach the host.
const FAREWELL: Duration = Duration::from_millis(100);

static RESTART: Signal<CriticalSectionRawMutex, Restart> = Signal::new();

/// Restarts soon, in this way.
pub(crate) fn ask_for_restart(restart: Restart) {
    RESTART.signal(restart);
}

/// Waits until somebody asks for a restart.
#[embassy_executor::task]
pub(crate) async fn restart_when_asked() -> ! {
    let restart = RESTART.wait().await;
    Timer::after(FAREWELL).await;
    match restart {
        Restart::Firmware => reset(),
        Restart::BootLoader => boot_loader(),
    }
}

/// Keeps the watchdog quiet as long as the executor in the interrupt runs.
#[embassy_executor::task]
pub(crate) async fn watch(watchdog: Peri<'static, WATCHDOG>) -> ! {
    let mut watchdog = Watchdog::new(watchdog);
    watchdog.start(LIMIT);
    loop {
        watchdog.feed(LIMIT);
        Timer::after(FEED_EVERY).await;
    }
}

/// Stops the card for good: the LED goes on showing why.
pub(crate) fn stop() -> ! {
    loop {
        cortex_m::asm::wfe();
    }
}

/// Wipes RAM and starts anew.
pub(crate) fn reset() -> ! {
    cortex_m::interrupt::disable();
    // The reset comes whatever happens here: everything but the oscillators.
    pac::PSM.wdsel().write_value(pac::psm::regs::Wdsel(0x0001_FFFC));
    wipe();
    pac::WATCHDOG.ctrl().write(|w| w.set_trigger(true));
    loop {
        cortex_m::asm::nop();
    }
}

/// Wipes RAM and ends in the boot loader, which can then read nothing of it.
pub(crate) fn boot_loader() -> ! {
    cortex_m::interrupt::disable();
    wipe();
    chip::enter_boot_loader()
}

/// Wipes what lies in statics, core 1's stack among them, and the unused part of core 0's stack.
fn wipe() {
    unsafe extern "C" {
        static mut __sbss: u32;
        static mut __ebss: u32;
        static mut _stack_end: u32;
    }
    let here = 0u32;
    let stack_in_use = ptr::addr_of!(here) as usize - 512;
    let ranges =
        [(ptr::addr_of_mut!(__sbss), ptr::addr_of!(__ebss) as usize), (ptr::addr_of_mut!(_stack_end), stack_in_use)];
    for (start, end) in ranges {
        let words = end.saturating_sub(start as usize) / 4;
        for n in 0..words {
            // SAFETY: nothing that lies there is used any more: interrupts are off, and what follows uses registers and
            // the stack above only.
            unsafe { start.add(n).write_volatile(0) };
        }
    }
}
