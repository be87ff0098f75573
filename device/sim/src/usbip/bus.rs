//! A USB controller made of software: what is a chip's peripheral elsewhere. It has memory for one packet of each endpoint,
//! as such peripherals do.

use super::protocol::{Status, Urb, submit_reply, unlink_reply};
use embassy_usb_driver::{
    Bus, ControlPipe, Direction, Driver, Endpoint, EndpointAddress, EndpointAllocError, EndpointError, EndpointIn,
    EndpointInfo, EndpointOut, EndpointType, Event, Unsupported,
};
use ferrite_usb::MAX_PACKET;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

const ENDPOINTS: usize = 16;

/// The bus between a client and the device.
#[derive(Default)]
pub(super) struct VirtualBus(Mutex<State>);

#[derive(Default)]
struct State {
    /// Where replies go while a client has the device.
    completions: Option<Sender<Vec<u8>>>,
    events: VecDeque<Event>,
    control: VecDeque<Urb>,
    /// The control transfer that the device is answering, and what it has said so far.
    answering: Option<(Urb, Vec<u8>)>,
    ins: [Pipe; ENDPOINTS],
    outs: [Pipe; ENDPOINTS],
    wakers: Vec<Waker>,
}

/// An endpoint.
#[derive(Default)]
struct Pipe {
    is_enabled: bool,
    is_stalled: bool,
    transfers: VecDeque<Transfer>,
    /// IN: the packet that the device wants to send. OUT: the one that it has not read yet.
    packet: Option<Vec<u8>>,
}

/// A transfer on its way.
struct Transfer {
    urb: Urb,
    /// OUT: how many bytes the device has. IN: unused.
    taken: usize,
    /// IN: what the device sent.
    data: Vec<u8>,
}

impl VirtualBus {
    /// Plugs the device in. `false`: it is plugged in already.
    pub(super) fn attach(&self, completions: Sender<Vec<u8>>) -> bool {
        self.with(|state| {
            if state.completions.is_some() {
                return false;
            }
            state.completions = Some(completions);
            state.events.extend([Event::PowerDetected, Event::Reset]);
            true
        })
    }

    /// Unplugs the device.
    pub(super) fn detach(&self) {
        self.with(|state| {
            state.completions = None;
            state.control.clear();
            state.answering = None;
            for pipe in state.ins.iter_mut().chain(&mut state.outs) {
                *pipe = Pipe::default();
            }
            state.events.push_back(Event::PowerRemoved);
        });
    }

    /// A transfer of the client.
    pub(super) fn submit(&self, urb: Urb) {
        self.with(|state| {
            if urb.endpoint == 0 {
                state.control.push_back(urb);
                return;
            }
            let (is_in, endpoint) = (urb.is_in, usize::from(urb.endpoint));
            let Some(pipe) = state.pipe(is_in, endpoint).filter(|pipe| pipe.is_enabled) else {
                state.complete(&submit_reply(urb.seqnum, Status::NoAnswer, 0, &[]));
                return;
            };
            pipe.transfers.push_back(Transfer { urb, taken: 0, data: Vec::new() });
            state.move_on(is_in, endpoint);
        });
    }

    /// The client does not want a transfer any more.
    pub(super) fn unlink(&self, seqnum: u32, victim: u32) {
        self.with(|state| {
            let pipes = state.ins.iter_mut().chain(&mut state.outs);
            let queued: usize = pipes
                .map(|pipe| {
                    let before = pipe.transfers.len();
                    pipe.transfers.retain(|transfer| transfer.urb.seqnum != victim);
                    before - pipe.transfers.len()
                })
                .sum();
            let before = state.control.len();
            state.control.retain(|urb| urb.seqnum != victim);
            let was_there = queued > 0 || state.control.len() < before;
            state.complete(&unlink_reply(seqnum, was_there));
        });
    }

    /// Does something with the state and wakes the device.
    fn with<R>(&self, action: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = action(&mut state);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// Waits until `condition` gives something.
    async fn wait<R>(&self, mut condition: impl FnMut(&mut State) -> Option<R>) -> R {
        poll_fn(|context| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match condition(&mut state) {
                Some(result) => Poll::Ready(result),
                None => {
                    if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                        state.wakers.push(context.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl State {
    fn pipe(&mut self, is_in: bool, endpoint: usize) -> Option<&mut Pipe> {
        if is_in { self.ins.get_mut(endpoint) } else { self.outs.get_mut(endpoint) }
    }

    fn complete(&self, reply: &[u8]) {
        // A client that is gone needs no reply.
        let _ = self.completions.as_ref().map(|completions| completions.send(reply.to_vec()));
    }

    /// The device has answered a control transfer.
    fn answer(&mut self, status: Status) {
        if let Some((urb, data)) = self.answering.take() {
            let data = &data[..data.len().min(urb.length)];
            let sent = if urb.is_in || status != Status::Done { 0 } else { urb.length };
            self.complete(&submit_reply(urb.seqnum, status, sent, data));
        }
    }

    /// Completes what can be completed on an endpoint.
    fn move_on(&mut self, is_in: bool, endpoint: usize) {
        while let Some(reply) = self.pipe(is_in, endpoint).and_then(|pipe| pipe.advance(is_in)) {
            self.complete(&reply);
        }
    }
}

impl Pipe {
    /// The reply to the first transfer, if that is complete now.
    fn advance(&mut self, is_in: bool) -> Option<Vec<u8>> {
        let status = if !self.is_enabled {
            Status::NoAnswer
        } else if self.is_stalled {
            Status::Stalled
        } else if is_in {
            self.receive()?
        } else {
            self.send()?
        };
        let Transfer { urb, taken, data } = self.transfers.pop_front()?;
        Some(submit_reply(urb.seqnum, status, taken, &data))
    }

    /// Moves the device's packet into the first transfer, and returns how that ends, if it does.
    fn receive(&mut self) -> Option<Status> {
        let transfer = self.transfers.front_mut()?;
        let packet = self.packet.take()?;
        transfer.data.extend_from_slice(&packet);
        if transfer.data.len() > transfer.urb.length {
            transfer.data.truncate(transfer.urb.length);
            return Some(Status::Overflow);
        }
        let is_complete = packet.len() < MAX_PACKET || transfer.data.len() == transfer.urb.length;
        if is_complete { Some(Status::Done) } else { None }
    }

    /// Moves a packet of the first transfer to where the device reads it, and returns how the transfer ends, if it does.
    fn send(&mut self) -> Option<Status> {
        let transfer = self.transfers.front_mut().filter(|_| self.packet.is_none())?;
        let rest = &transfer.urb.data[transfer.taken..];
        let packet = &rest[..rest.len().min(MAX_PACKET)];
        self.packet = Some(packet.to_vec());
        transfer.taken += packet.len();
        let has_more = transfer.taken < transfer.urb.data.len()
            || (packet.len() == MAX_PACKET && transfer.urb.ends_with_empty_packet);
        if has_more { None } else { Some(Status::Done) }
    }
}

/// The driver that embassy-usb gets.
pub(super) struct BusDriver(Arc<VirtualBus>);

impl BusDriver {
    pub(super) fn new(bus: Arc<VirtualBus>) -> Self {
        Self(bus)
    }

    fn endpoint(
        &self,
        ep_type: EndpointType,
        address: Option<EndpointAddress>,
        direction: Direction,
        max_packet_size: u16,
        interval_ms: u8,
    ) -> Result<BusEndpoint, EndpointAllocError> {
        let addr = address
            .filter(|address| address.direction() == direction && (1..ENDPOINTS).contains(&address.index()))
            .ok_or(EndpointAllocError)?;
        let info = EndpointInfo { addr, ep_type, max_packet_size, interval_ms };
        Ok(BusEndpoint { bus: Arc::clone(&self.0), info })
    }
}

impl<'a> Driver<'a> for BusDriver {
    type EndpointOut = BusEndpoint;
    type EndpointIn = BusEndpoint;
    type ControlPipe = BusControl;
    type Bus = BusDriver;

    fn alloc_endpoint_out(
        &mut self,
        ep_type: EndpointType,
        ep_addr: Option<EndpointAddress>,
        max_packet_size: u16,
        interval_ms: u8,
    ) -> Result<Self::EndpointOut, EndpointAllocError> {
        self.endpoint(ep_type, ep_addr, Direction::Out, max_packet_size, interval_ms)
    }

    fn alloc_endpoint_in(
        &mut self,
        ep_type: EndpointType,
        ep_addr: Option<EndpointAddress>,
        max_packet_size: u16,
        interval_ms: u8,
    ) -> Result<Self::EndpointIn, EndpointAllocError> {
        self.endpoint(ep_type, ep_addr, Direction::In, max_packet_size, interval_ms)
    }

    fn start(self, _control_max_packet_size: u16) -> (Self::Bus, Self::ControlPipe) {
        let control = BusControl { bus: Arc::clone(&self.0), taken: 0 };
        (self, control)
    }
}

impl Bus for BusDriver {
    async fn enable(&mut self) {}

    async fn disable(&mut self) {}

    async fn poll(&mut self) -> Event {
        self.0.wait(|state| state.events.pop_front()).await
    }

    fn endpoint_set_enabled(&mut self, address: EndpointAddress, enabled: bool) {
        self.change(address, |pipe| {
            pipe.is_enabled = enabled;
            (pipe.is_stalled, pipe.packet) = (false, None);
        });
    }

    fn endpoint_set_stalled(&mut self, address: EndpointAddress, stalled: bool) {
        self.change(address, |pipe| pipe.is_stalled = stalled);
    }

    fn endpoint_is_stalled(&mut self, address: EndpointAddress) -> bool {
        self.0.with(|state| state.pipe(address.is_in(), address.index()).is_some_and(|pipe| pipe.is_stalled))
    }

    async fn remote_wakeup(&mut self) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
}

impl BusDriver {
    fn change(&self, address: EndpointAddress, change: impl FnOnce(&mut Pipe)) {
        self.0.with(|state| {
            let (is_in, endpoint) = (address.is_in(), address.index());
            if let Some(pipe) = state.pipe(is_in, endpoint) {
                change(pipe);
            }
            state.move_on(is_in, endpoint);
        });
    }
}

/// A bulk or interrupt endpoint, as the device sees it.
pub(super) struct BusEndpoint {
    bus: Arc<VirtualBus>,
    info: EndpointInfo,
}

impl Endpoint for BusEndpoint {
    fn info(&self) -> &EndpointInfo {
        &self.info
    }

    async fn wait_enabled(&mut self) {
        let (is_in, endpoint) = (self.info.addr.is_in(), self.info.addr.index());
        self.bus.wait(|state| state.pipe(is_in, endpoint).filter(|pipe| pipe.is_enabled).map(|_| ())).await;
    }
}

impl EndpointOut for BusEndpoint {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, EndpointError> {
        let endpoint = self.info.addr.index();
        self.bus
            .wait(|state| {
                let pipe = state.pipe(false, endpoint)?;
                if !pipe.is_enabled {
                    return Some(Err(EndpointError::Disabled));
                }
                let packet = pipe.packet.take()?;
                let room = buf.get_mut(..packet.len());
                let result = room.map(|room| room.copy_from_slice(&packet)).ok_or(EndpointError::BufferOverflow);
                state.move_on(false, endpoint);
                Some(result.map(|()| packet.len()))
            })
            .await
    }
}

impl EndpointIn for BusEndpoint {
    async fn write(&mut self, buf: &[u8]) -> Result<(), EndpointError> {
        let endpoint = self.info.addr.index();
        self.bus
            .wait(|state| {
                let pipe = state.pipe(true, endpoint)?;
                if !pipe.is_enabled {
                    return Some(Err(EndpointError::Disabled));
                }
                if pipe.packet.is_some() {
                    return None;
                }
                pipe.packet = Some(buf.to_vec());
                state.move_on(true, endpoint);
                Some(Ok(()))
            })
            .await
    }
}

/// The control pipe, as the device sees it.
pub(super) struct BusControl {
    bus: Arc<VirtualBus>,
    /// How much of the data of an OUT transfer the device has.
    taken: usize,
}

impl ControlPipe for BusControl {
    fn max_packet_size(&self) -> usize {
        MAX_PACKET
    }

    async fn setup(&mut self) -> [u8; 8] {
        self.taken = 0;
        self.bus
            .wait(|state| {
                // A transfer that the device gave up in the middle.
                state.answer(Status::Stalled);
                let urb = state.control.pop_front()?;
                let setup = urb.setup;
                state.answering = Some((urb, Vec::new()));
                Some(setup)
            })
            .await
    }

    async fn data_out(&mut self, buf: &mut [u8], _first: bool, _last: bool) -> Result<usize, EndpointError> {
        let taken = self.taken;
        let count = self.bus.with(|state| {
            let (urb, _) = state.answering.as_ref().ok_or(EndpointError::Disabled)?;
            let rest = urb.data.get(taken..).unwrap_or_default();
            let count = rest.len().min(buf.len());
            buf[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })?;
        self.taken += count;
        Ok(count)
    }

    async fn data_in(&mut self, data: &[u8], _first: bool, last: bool) -> Result<(), EndpointError> {
        self.bus.with(|state| {
            let (_, sent) = state.answering.as_mut().ok_or(EndpointError::Disabled)?;
            sent.extend_from_slice(data);
            if last {
                state.answer(Status::Done);
            }
            Ok(())
        })
    }

    async fn accept(&mut self) {
        self.bus.with(|state| state.answer(Status::Done));
    }

    async fn reject(&mut self) {
        self.bus.with(|state| state.answer(Status::Stalled));
    }

    async fn accept_set_address(&mut self, _addr: u8) {
        self.accept().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
    use ferrite_proto::configuration::Configuration;
    use ferrite_usb::descriptor::Identity;
    use ferrite_usb::embassy::{Buffers, Reader, Usb};
    use ferrite_usb::{Interface, SmartCard};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    /// Tells when its sessions are closed.
    struct Watched(Sender<Option<Interface>>);

    impl SmartCard for Watched {
        fn reset(&mut self, user: Option<Interface>) {
            let _ = self.0.send(user);
        }

        fn clear(&mut self) {}

        fn append(&mut self, _bytes: &[u8]) {}

        fn transmit(&mut self) -> &[u8] {
            &[]
        }
    }

    /// A host may wake a bus by a reset, of which the device hears nothing else.
    #[test]
    fn a_bus_that_is_reset_is_awake_and_its_next_sleep_counts_again() {
        let bus = Arc::new(VirtualBus::default());
        let reader = Arc::new(Reader::<CriticalSectionRawMutex>::new(&[0x3B]));
        let (closed, closings) = mpsc::channel();
        let card_side = Arc::clone(&reader);
        thread::spawn(move || pollster::block_on(card_side.serve(&mut Watched(closed))));
        let driver = BusDriver::new(Arc::clone(&bus));
        thread::spawn(move || {
            let mut buffers = Buffers::new();
            let identity = Identity::new(&Configuration::default(), [0; 8], [0, 1], 100);
            pollster::block_on(Usb::new(driver, &identity, &mut buffers, &reader).run());
        });
        let happens = |events: &[Event]| bus.with(|state| state.events.extend(events));
        happens(&[Event::PowerDetected, Event::Reset, Event::Suspend, Event::Reset]);
        assert_eq!(closings.recv_timeout(Duration::from_secs(4)), Err(mpsc::RecvTimeoutError::Timeout));
        happens(&[Event::Suspend]);
        assert_eq!(closings.recv_timeout(Duration::from_secs(10)), Ok(None));
    }
}
