//! Ferrite on the RP2040 and the RP2350 (Arm).
//!
//! The card runs in thread mode on core 0. USB, LED and watchdog run in an executor that lives in a software interrupt
//! on core 0 and interrupts the card. Core 1 sleeps in RAM and helps with RSA (`second_core`). Flash is written by core
//! 0 alone, with interrupts off and code in RAM (`flash`).
#![no_std]
#![no_main]

mod board;
mod button;
mod card;
mod chip;
mod clock;
mod entropy;
mod flash;
mod identity;
mod led;
mod platform;
mod power;
mod second_core;
mod usb;

use card::BoardCard;
use cortex_m_rt::{entry, exception};
use embassy_executor::{Executor, InterruptExecutor};
use embassy_rp::interrupt;
use embassy_rp::interrupt::{InterruptExt, Priority};
use ferrite_board::led::Status;
use flash::BoardFlash;
use platform::BoardPlatform;
use static_cell::StaticCell;

/// Where USB, LED and watchdog live: in an interrupt.
static INTERRUPTING: InterruptExecutor = InterruptExecutor::new();
/// Where the card lives.
static THREAD: StaticCell<Executor> = StaticCell::new();

#[interrupt]
unsafe fn SWI_IRQ_1() {
    // SAFETY: this is the interrupt that the executor was started with.
    unsafe { INTERRUPTING.on_interrupt() }
}

#[entry]
fn main() -> ! {
    let peripherals = embassy_rp::init(embassy_rp::config::Config::default());
    // Before anything that waits for hardware.
    let watchdog = power::start_watchdog(peripherals.WATCHDOG);
    let facts = chip::facts();
    second_core::start(peripherals.CORE1);

    interrupt::SWI_IRQ_1.set_priority(Priority::P2);
    let interrupting = INTERRUPTING.start(interrupt::SWI_IRQ_1);
    interrupting.spawn(led::run(board::LED).expect("spawned once"));
    interrupting.spawn(power::watch(watchdog).expect("spawned once"));
    interrupting.spawn(power::restart_when_asked().expect("spawned once"));

    let known = facts.ok().and_then(|facts| facts.layout().zip(facts.unique_id()));
    let Some((layout, unique_id)) = known else {
        led::set_host(Status::Fault);
        power::stop();
    };
    let mut flash = BoardFlash::new(layout.store, layout.store_pages);
    let root_key = identity::root_key(&layout, &mut flash).unwrap_or_else(|| {
        // Nothing that was stored can be read: the card answers so.
        flash.close();
        Default::default()
    });
    let card = BoardCard::start(BoardPlatform::new(unique_id, root_key, layout.flash), flash);
    let configuration = *card.configuration();
    led::configure(&configuration);
    interrupting.spawn(usb::run(peripherals.USB, configuration, unique_id).expect("spawned once"));
    THREAD.init(Executor::new()).run(|spawner| spawner.spawn(card::serve(card).expect("spawned once")))
}

#[exception(trampoline = false)]
unsafe fn HardFault() -> ! {
    power::give_up()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    power::give_up()
}
