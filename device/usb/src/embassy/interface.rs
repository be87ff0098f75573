//! One interface at work: its endpoints, the clock, and the state machine between them.

use super::reader::{Reader, now};
use crate::MAX_PACKET;
use crate::message::CARD_PRESENT;
use crate::slot::Interface;
use core::future::pending;
use embassy_futures::select::{Either3, select, select3};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::Timer;
use embassy_usb::driver::{EndpointIn, EndpointOut};
use zeroize::{Zeroize, Zeroizing};

/// Runs `conversation` for each connection, as long as it lasts, forever.
async fn connected<M: RawMutex>(reader: &Reader<M>, mut conversation: impl AsyncFnMut()) -> ! {
    loop {
        let connection = reader.wait(|shared| shared.connection()).await;
        let disconnected = reader.wait(|shared| (shared.connection() != Some(connection)).then_some(()));
        select(
            async {
                conversation().await;
                pending::<()>().await;
            },
            disconnected,
        )
        .await;
    }
}

/// Answers the messages of a host.
pub(super) async fn answer<M: RawMutex>(
    reader: &Reader<M>,
    me: Interface,
    bulk_out: &mut impl EndpointOut,
    bulk_in: &mut impl EndpointIn,
) -> ! {
    connected(reader, async || {
        bulk_out.wait_enabled().await;
        bulk_in.wait_enabled().await;
        // A connection may end while there is something in it.
        let mut packet = Zeroizing::new([0; MAX_PACKET]);
        loop {
            let next = reader.with(|shared| {
                let (ccid, slot) = shared.interface(me);
                let len = ccid.transmit(&mut packet, slot, now());
                (len, ccid.wants_packet(slot), ccid.deadline(), shared.changes())
            });
            let (len, wants_packet, deadline, changes) = next;
            if let Some(len) = len {
                // A packet that the bus does not take any more is one that nobody wants any more.
                let _ = bulk_in.write(packet.get(..len).unwrap_or_default()).await;
                packet.zeroize();
                continue;
            }
            let incoming = async { if wants_packet { bulk_out.read(packet.as_mut()).await } else { pending().await } };
            let changed = reader.wait(|shared| (shared.changes() != changes).then_some(()));
            let timer = async {
                match deadline {
                    Some(deadline) => Timer::at(embassy_time::Instant::from_millis(deadline.as_millis())).await,
                    None => pending().await,
                }
            };
            match select3(incoming, changed, timer).await {
                Either3::First(Ok(len)) => {
                    reader.with(|shared| {
                        let (ccid, slot) = shared.interface(me);
                        ccid.receive(packet.get(..len).unwrap_or_default(), slot, now());
                    });
                    packet.zeroize();
                }
                // The endpoint was disabled: the connection ends, or another one begins.
                Either3::First(Err(_)) => bulk_out.wait_enabled().await,
                Either3::Second(()) | Either3::Third(()) => {}
            }
        }
    })
    .await
}

/// Tells every host that there is a card.
pub(super) async fn announce<M: RawMutex>(reader: &Reader<M>, interrupt: &mut impl EndpointIn) -> ! {
    connected(reader, async || {
        interrupt.wait_enabled().await;
        // A host that does not take it asks for the state of the slot.
        let _ = interrupt.write(&CARD_PRESENT).await;
    })
    .await
}
