//! Watchdog, reset, boot loader.

use crate::{chip, second_core};
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

/// Starts the watchdog: from here on it must be fed.
pub(crate) fn start_watchdog(watchdog: Peri<'static, WATCHDOG>) -> Watchdog {
    let mut watchdog = Watchdog::new(watchdog);
    watchdog.start(LIMIT);
    // What the driver wants reset is right for the RP2040 only.
    pac::PSM.wdsel().write_value(pac::psm::regs::Wdsel(chip::RESETS));
    watchdog
}

/// Keeps the watchdog quiet as long as the executor in the interrupt runs.
#[embassy_executor::task]
pub(crate) async fn watch(mut watchdog: Watchdog) -> ! {
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

/// What a fault or a panic comes to, on either core: what lies in RAM is not left there.
pub(crate) fn give_up() -> ! {
    if second_core::is_current() { second_core::fail() } else { reset() }
}

/// Wipes RAM and starts anew. On core 0.
pub(crate) fn reset() -> ! {
    wipe(trigger_reset)
}

/// Wipes RAM and ends in the boot loader, which can then read nothing of it. On core 0.
pub(crate) fn boot_loader() -> ! {
    wipe(chip::enter_boot_loader)
}

/// Resets the chip. Uses nothing that lies in RAM.
pub(crate) extern "C" fn trigger_reset() -> ! {
    pac::PSM.wdsel().write_value(pac::psm::regs::Wdsel(chip::RESETS));
    pac::WATCHDOG.ctrl().write(|w| w.set_trigger(true));
    loop {
        cortex_m::asm::nop();
    }
}

/// Where the USB controller keeps packets, and how many bytes.
const USB_MEMORY: *mut u32 = 0x5010_0000 as *mut u32;
const USB_MEMORY_SIZE: usize = 4096;

/// Wipes the USB controller's memory and all of RAM, stacks and static variables included, and goes on with `then` on an
/// empty stack, which must not rely on any static variable.
fn wipe(then: extern "C" fn() -> !) -> ! {
    cortex_m::interrupt::disable();
    // The other core may be at work on a secret: it is sent back to the boot ROM, where it waits.
    pac::PSM.frce_off().modify(|w| w.set_proc1(true));
    while !pac::PSM.frce_off().read().proc1() {}
    pac::PSM.frce_off().modify(|w| w.set_proc1(false));
    if pac::RESETS.reset_done().read().usbctrl() {
        for word in 0..USB_MEMORY_SIZE / 4 {
            // SAFETY: the controller is out of reset, and whatever it sends from now on is nobody's.
            unsafe { USB_MEMORY.add(word).write_volatile(0) };
        }
    }
    // SAFETY: nothing that lies in RAM is used any more: interrupts are off, the other core is off, the loop needs
    // registers only, and what follows starts with an empty stack.
    unsafe {
        core::arch::asm!(
            "2:",
            "str {zero}, [{at}]",
            "adds {at}, {at}, #4",
            "cmp {at}, {end}",
            "bne 2b",
            "mov sp, {stack}",
            "bx {then}",
            at = in(reg) chip::RAM.start,
            end = in(reg) chip::RAM.end,
            zero = in(reg) 0,
            stack = in(reg) &raw const _stack_start,
            then = in(reg) then,
            options(noreturn)
        )
    }
}

unsafe extern "C" {
    /// Where the stack of core 0 starts, and grows down from; the linker knows.
    static _stack_start: u32;
}
