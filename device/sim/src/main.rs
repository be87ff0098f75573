//! `ferrite-sim`: a virtual HSM in pcscd's virtual reader, on a local socket and over USB/IP.
//!
//! It prints `ready` on a line of its own once the state is open and its sockets are bound; before that, with `--usbip`,
//! `usbip` and the address where it listens. It does not wait for pcscd, which
//! may be started later or never: the card shows up in the reader within a second of pcscd's start.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use ferrite_sim::socket::Socket;
use ferrite_sim::usbip::{self, UsbIp};
use ferrite_sim::{Options, PresencePolicy, StateDir, VirtualDevice, vpcd};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(50);

/// A virtual HSM: answers as a SmartCard-HSM in pcscd's virtual reader.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Directory with the device's memory and key [default: ferrite in the user's data directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where pcscd's virtual reader listens
    #[arg(long, value_name = "HOST:PORT", default_value = vpcd::DEFAULT_ADDRESS)]
    vpcd: String,
    /// Stay out of pcscd's virtual reader
    #[arg(long, conflicts_with = "vpcd")]
    no_vpcd: bool,
    /// Also serve length-prefixed APDUs on this local socket
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Also be a USB device over USB/IP, for `usbip attach`: anybody who reaches this address can use the device
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = usbip::DEFAULT_ADDRESS)]
    usbip: Option<String>,
    /// What stands for the device's button
    #[arg(long, value_enum, default_value_t = PresenceArgument::Auto)]
    presence: PresenceArgument,
    /// Trace commands on standard error: header, lengths and status, never data
    #[arg(long)]
    log: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PresenceArgument {
    /// Confirm every request
    Auto,
    /// Ask on the terminal
    Ask,
    /// Refuse every request
    Never,
}

impl From<PresenceArgument> for PresencePolicy {
    fn from(argument: PresenceArgument) -> Self {
        match argument {
            PresenceArgument::Auto => Self::Auto,
            PresenceArgument::Ask => Self::Ask,
            PresenceArgument::Never => Self::Never,
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let stop = stop_flag().context("cannot handle signals")?;
    let state = match arguments.state {
        Some(dir) => dir,
        None => StateDir::default_path().context("no home directory is known: name a directory with --state")?,
    };
    let options = Options { presence: arguments.presence.into(), log: arguments.log };
    let device = Arc::new(VirtualDevice::open(&state, options)?);
    let socket = arguments.socket.as_deref().map(|path| serve_socket(path, &device)).transpose()?;
    if !arguments.no_vpcd {
        let talkative = arguments.log || std::io::stderr().is_terminal();
        serve_vpcd(arguments.vpcd, talkative, &device)?;
    }
    let mut stdout = std::io::stdout();
    if let Some(address) = arguments.usbip {
        let identity = UsbIp::identity(&device, &device.configuration()?);
        let server = UsbIp::bind(&address, &device, identity).with_context(|| format!("cannot listen at {address}"))?;
        writeln!(stdout, "usbip {}", server.address()?).context("cannot write to standard output")?;
        server.serve()?;
    }
    writeln!(stdout, "ready").and_then(|()| stdout.flush()).context("cannot write to standard output")?;

    while !stop.load(Ordering::Relaxed) {
        if !device.is_running() {
            bail!("the card has stopped");
        }
        thread::sleep(POLL);
    }
    drop(socket);
    device.close();
    Ok(())
}

/// A flag that SIGINT and SIGTERM set. The first one lets the running command finish; the second ends the process at once,
/// which loses nothing that was acknowledged.
fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn serve_socket(path: &Path, device: &Arc<VirtualDevice>) -> Result<Socket> {
    let socket = Socket::bind(path).with_context(|| format!("cannot bind the socket {}", path.display()))?;
    socket.serve(Arc::clone(device))?;
    Ok(socket)
}

fn serve_vpcd(address: String, talkative: bool, device: &Arc<VirtualDevice>) -> Result<()> {
    let device = Arc::clone(device);
    thread::Builder::new().name("vpcd".into()).spawn(move || {
        vpcd::serve(&device, &address, || {
            if talkative {
                eprintln!("in the virtual reader at {address}");
            }
        });
    })?;
    Ok(())
}
