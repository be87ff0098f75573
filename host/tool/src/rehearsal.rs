//! `ceremony rehearse`: the whole life of a key in the hands of custodians, on a virtual device.

use crate::app::Device;
use crate::bytes;
use crate::ceremony::Custodians;
use crate::dkek;
use crate::parts;
use crate::progress::during;
use crate::report::Report;
use clap::Args;
use ferrite_client::custody::share::Share;
use ferrite_client::custody::threshold::Part;
use ferrite_client::custody::wrapped::WrappedKey;
use ferrite_client::discovery::Place;
use ferrite_client::hsm::DomainState;
use ferrite_client::proto::command::Options;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::{Error, ErrorKind, Hsm, Initialization, KeyAttributes, KeyType, Result, Scheme};
use serde_json::json;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};

const WHAT: &str = "rehearse the ceremony";
/// PINs of the virtual device, which lives as long as the rehearsal.
const PIN: &[u8] = b"648219";
const SO_PIN: &[u8] = b"57621880";

#[derive(Args)]
pub(crate) struct Rehearse {
    #[command(flatten)]
    custodians: Custodians,
    /// With real custodians: each sees their part on the screen, and types it when it is needed
    #[arg(long)]
    on_screen: bool,
    /// Kind of the key that is made
    #[arg(long, default_value = "p256", value_parser = crate::named::parse::<KeyType>)]
    kind: KeyType,
}

impl Rehearse {
    /// Plays it.
    ///
    /// # Errors
    /// Whatever goes wrong: then the ceremony would have gone wrong too.
    pub(crate) fn run(&self) -> Result<Report> {
        self.custodians.check(WHAT)?;
        let virtual_device = VirtualDevice::start()?;
        let mut said = Vec::new();
        self.play(&virtual_device, &mut |line| {
            if self.on_screen {
                eprintln!("{line}");
            }
            said.push(line);
        })?;
        said.push("The rehearsal went well. Nothing of it is kept.".into());
        let text = match said.split_last() {
            // The others were shown as they came.
            Some((last, _)) if self.on_screen => last.clone(),
            _ => said.join("\n"),
        };
        Ok(Report::line(json!({ "steps": said }), text))
    }

    fn play(&self, virtual_device: &VirtualDevice, say: &mut dyn FnMut(String)) -> Result<()> {
        let Custodians { parts: count, needed: threshold } = self.custodians;
        let (file, parts) = dkek::seal_in_parts(count, threshold)?;
        say(format!("A share was made; its password is in {count} parts."));

        // The first custodians, then the last ones.
        let needed = usize::try_from(threshold).unwrap_or(usize::MAX);
        let first: Vec<_> = parts.iter().take(needed).cloned().collect();
        let last: Vec<_> = parts.iter().skip(parts.len().saturating_sub(needed)).cloned().collect();
        if self.on_screen {
            parts::hand_out(&parts, threshold, None)?;
        }
        let mut device = virtual_device.open()?;
        let check_value = equip(&mut device, &self.open(&file, &first)?)?;
        say(format!("A virtual device was initialised, and took the share with {}.", self.whose(&first)));

        let id = KeyId::new(1);
        during(format!("Generating {}", self.kind), || {
            device.generate_key(id, self.kind, "rehearsal", &KeyAttributes::default())
        })?;
        let public = device.public_key(id)?;
        let backup = device.export_key(id)?.to_bytes()?;
        say("A key was made, and backed up.".into());

        let again = equip(&mut device, &self.open(&file, &last)?)?;
        if again != check_value {
            return Err(Error::new(ErrorKind::Verification, WHAT, "other custodians made another DKEK"));
        }
        say(format!("The device was wiped, and took the share with {}.", self.whose(&last)));
        device.restore_key(id, &WrappedKey::parse(&backup)?)?;
        let scheme = Scheme::of(self.kind)?;
        let signature = device.sign_message(id, scheme, b"rehearsal")?;
        public.verify(scheme, b"rehearsal", &signature)?;
        say("The backup was restored, and the key's signature is the old key's.".into());

        let too_few: Vec<_> = first.iter().take(needed.saturating_sub(1)).cloned().collect();
        let opened = dkek::open_with_parts(&file, &too_few);
        if opened.is_ok() {
            return Err(Error::new(ErrorKind::Verification, WHAT, "too few parts opened the share"));
        }
        say(match too_few.len() {
            1 => "One part alone opened nothing.".into(),
            count => format!("{count} parts opened nothing."),
        });
        Ok(())
    }

    /// Opens the share: with the parts that custodians type, or else with these.
    fn open(&self, file: &[u8], parts: &[Part]) -> Result<Share> {
        if self.on_screen {
            dkek::open_with_custodians(file, self.custodians.needed)
        } else {
            dkek::open_with_parts(file, parts)
        }
    }

    fn whose(&self, parts: &[Part]) -> String {
        if self.on_screen { "the custodians' parts".into() } else { format!("parts {}", numbers(parts)) }
    }
}

fn numbers(parts: &[Part]) -> String {
    let numbers: Vec<_> = parts.iter().map(|part| part.id.to_string()).collect();
    match numbers.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => numbers.join(""),
    }
}

/// Initialises the device and imports the share; returns the DKEK's check value. The user is logged in then.
fn equip(device: &mut Device, share: &Share) -> Result<Vec<u8>> {
    let with = Initialization {
        options: Options(1),
        user_pin: PIN,
        so_pin: SO_PIN,
        dkek_shares: Some(1),
        ..Initialization::default()
    };
    device.initialize(&with)?;
    let status = device.import_share(0, share.as_bytes())?;
    device.login(PIN)?;
    match status.state {
        DomainState::Complete { check_value, .. } => Ok(check_value.to_vec()),
        _ => Err(Error::new(ErrorKind::BadAnswer, WHAT, "the device waits for more shares than the one there is")),
    }
}

/// A virtual device that goes away with everything it stored.
struct VirtualDevice {
    child: Child,
    directory: PathBuf,
}

impl VirtualDevice {
    fn start() -> Result<Self> {
        const WHAT: &str = "start a virtual device";
        let failed = |error: std::io::Error| Error::new(ErrorKind::Io, WHAT, error.to_string());
        let program = program().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, WHAT, "the program ferrite-sim is not there")
                .advise("Install it beside this program, or where PATH says.")
        })?;
        let directory = env::temp_dir().join(format!("pico-hsm-rehearsal-{}", std::process::id()));
        bytes::create_private_directory(&directory).map_err(failed)?;
        let mut child = Process::new(program)
            .arg("--no-vpcd")
            .arg("--state")
            .arg(directory.join("state"))
            .arg("--socket")
            .arg(directory.join("socket"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdout = child.stdout.take();
        let device = Self { child, directory };
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        if line == "ready\n" { Ok(device) } else { Err(Error::new(ErrorKind::Io, WHAT, "it ended at once")) }
    }

    fn open(&self) -> Result<Device> {
        Hsm::open(Place::Socket(self.directory.join("socket")).connect()?)
    }
}

impl Drop for VirtualDevice {
    fn drop(&mut self) {
        // There is nobody to tell, and nothing of value in it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The simulator: beside this program, or where PATH says.
fn program() -> Option<PathBuf> {
    let beside = env::current_exe().ok().and_then(|own| own.parent().map(Path::to_path_buf));
    let paths = env::var_os("PATH").unwrap_or_default();
    beside.into_iter().chain(env::split_paths(&paths)).map(|dir| dir.join("ferrite-sim")).find(|path| path.is_file())
}
