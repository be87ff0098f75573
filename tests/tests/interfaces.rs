//! Several ways to one card: they take turns, and no session goes from one to another (decision D5).

use anyhow::{Result, ensure};
use ferrite_sim::{Interface, Options, VirtualDevice};
use ferrite_tests::TempDir;

const SELECT: &[u8] = b"\x00\xA4\x04\x00\x0B\xE8\x2B\x06\x01\x04\x01\x81\xC3\x1F\x02\x01\x00";
const INITIALIZE: &[u8] = b"\x80\x50\x00\x00\x19\x80\x02\x00\x01\x81\x06648219\x82\x0857621880\x91\x01\x03";
const VERIFY: &[u8] = b"\x00\x20\x00\x81\x06648219";
const LOGGED_IN: &[u8] = b"\x00\x20\x00\x81";
const YES: [u8; 2] = [0x90, 0x00];
const NO: [u8; 2] = [0x63, 0xC3];

fn initialized(dir: &TempDir) -> Result<VirtualDevice> {
    let device = VirtualDevice::open(dir.path(), Options::default())?;
    let card = device.connect();
    card.transmit(SELECT)?;
    ensure!(card.transmit(INITIALIZE)? == YES);
    Ok(device)
}

fn log_in(card: &Interface) -> Result<()> {
    card.transmit(SELECT)?;
    ensure!(card.transmit(VERIFY)? == YES);
    ensure!(card.transmit(LOGGED_IN)? == YES);
    Ok(())
}

/// Whether the user is logged in, asked after a selection was made good for but not repeated.
fn logged_in(card: &Interface) -> Result<bool> {
    match card.transmit(LOGGED_IN)? {
        answer if answer == YES => Ok(true),
        // A reset may have dropped the selection with the session.
        answer => {
            ensure!(answer == NO || card.transmit(SELECT)?.ends_with(&YES) && card.transmit(LOGGED_IN)? == NO);
            Ok(false)
        }
    }
}

#[test]
fn a_command_on_another_interface_ends_the_session() -> Result<()> {
    let dir = TempDir::new()?;
    let device = initialized(&dir)?;
    let (first, second) = (device.connect(), device.connect());
    log_in(&first)?;
    ensure!(!logged_in(&second)?, "the second interface inherited the session");
    ensure!(!logged_in(&first)?, "the first interface got its session back");
    Ok(())
}

#[test]
fn a_reset_ends_the_session_of_its_own_interface_only() -> Result<()> {
    let dir = TempDir::new()?;
    let device = initialized(&dir)?;
    let (user, idle) = (device.connect(), device.connect());
    log_in(&user)?;
    idle.reset()?;
    drop(idle);
    ensure!(logged_in(&user)?, "an idle interface ended the session");
    user.reset()?;
    ensure!(!logged_in(&user)?);
    Ok(())
}

#[test]
fn a_closed_device_answers_nobody_and_opens_again() -> Result<()> {
    let dir = TempDir::new()?;
    let device = initialized(&dir)?;
    let card = device.connect();
    log_in(&card)?;
    ensure!(VirtualDevice::open(dir.path(), Options::default()).is_err(), "two devices in one directory");
    device.close();
    ensure!(card.transmit(LOGGED_IN).is_err());
    ensure!(!device.is_running());
    let again = VirtualDevice::open(dir.path(), Options::default())?;
    ensure!(!logged_in(&again.connect())?);
    log_in(&again.connect())
}

#[test]
fn the_progress_of_a_key_generation_can_be_watched() -> Result<()> {
    const GENERATE_RSA_1024: &[u8] =
        b"\x00\x46\x01\x00\x00\x00\x18\x7F\x49\x15\x06\x0A\x04\x00\x7F\x00\x07\x02\x02\x02\x01\x02\x82\x03\x01\x00\x01\x02\x02\x04\x00\x00\x00";
    let dir = TempDir::new()?;
    let device = initialized(&dir)?;
    let card = device.connect();
    log_in(&card)?;
    ensure!(device.candidates_tested() == 0);
    let answer = card.transmit(GENERATE_RSA_1024)?;
    ensure!(answer.ends_with(&YES), "{}", hex::encode_upper(answer));
    // One for each prime at least.
    ensure!(device.candidates_tested() >= 2);
    Ok(())
}
