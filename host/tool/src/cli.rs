//! The command line.

use crate::app::Global;
use crate::report::Report;
use crate::{
    apdu, attestation, authority, backup, ceremony, certificates, cipher, clock, configuration, data, decrypt, dkek,
    doctor, domain, group, initialize, keys, label, list, lock, login, options, pins, random, secure_boot, shell, sign,
    status, wallet,
};
use clap::{Parser, Subcommand};
use ferrite_client::Result;

/// What to do first, below the list of commands.
const FIRST_STEPS: &str = "\
First steps:
  pico-hsm-tool initialize                   set PINs, and decide whether keys can be backed up
  pico-hsm-tool key generate p256 --label K  make a key; K is any name
  pico-hsm-tool sign K FILE -o FILE.sig      sign a file
  pico-hsm-tool verify K FILE -s FILE.sig    check it
  pico-hsm-tool backup B                     write everything into the encrypted file B
  pico-hsm-tool restore B                    get it back, after DKEK shares: pico-hsm-tool dkek import-share
  pico-hsm-tool status                       see how the device stands
  pico-hsm-tool COMMAND --help               read more

With one device nothing need be said about which; else name it with --device.
PINs are asked for, or come from a file, the environment or a file descriptor:
never write them on the command line.";

/// Everything a Ferrite HSM, or another SmartCard-HSM, can do
#[derive(Parser)]
#[command(name = "pico-hsm-tool", version, after_help = FIRST_STEPS)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(list::Arguments),
    #[command(visible_alias = "info")]
    Status(status::Arguments),
    Doctor(doctor::Arguments),
    #[command(visible_aliases = ["initialise", "init"])]
    Initialize(initialize::Arguments),
    #[command(subcommand)]
    Pin(pins::PinCommand),
    #[command(subcommand)]
    SoPin(pins::SoPinCommand),
    #[command(subcommand)]
    Key(keys::Command),
    Sign(sign::Sign),
    Verify(sign::Verify),
    Decrypt(decrypt::Decrypt),
    Agree(decrypt::Agree),
    #[command(subcommand)]
    Cipher(cipher::Command),
    Mac(cipher::Mac),
    Kdf(cipher::Kdf),
    Random(random::Arguments),
    #[command(subcommand)]
    Data(data::Command),
    #[command(subcommand)]
    Cert(certificates::Command),
    #[command(subcommand)]
    Domain(domain::Command),
    #[command(subcommand)]
    Dkek(dkek::Command),
    Backup(backup::Backup),
    Restore(backup::Restore),
    #[command(subcommand)]
    Ceremony(ceremony::Command),
    #[command(subcommand)]
    Wallet(wallet::Command),
    Label(label::Arguments),
    #[command(subcommand)]
    Attest(attestation::Command),
    #[command(subcommand)]
    Ca(authority::Command),
    #[command(subcommand)]
    Pka(login::Command),
    #[command(subcommand)]
    Group(group::Command),
    #[command(subcommand)]
    Lock(lock::Command),
    #[command(subcommand)]
    Clock(clock::Command),
    #[command(subcommand)]
    Option(options::Command),
    #[command(subcommand)]
    Config(configuration::Command),
    #[command(subcommand)]
    SecureBoot(secure_boot::Command),
    Reboot(configuration::Reboot),
    FactoryReset(configuration::FactoryReset),
    Apdu(apdu::Arguments),
    Completions(shell::Completions),
    Man(shell::Man),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever goes wrong.
    pub(crate) fn run(self) -> Result<Report> {
        let global = &self.global;
        let result = match self.command {
            Command::List(arguments) => arguments.run(global),
            Command::Status(arguments) => arguments.run(global),
            Command::Doctor(arguments) => arguments.run(global),
            Command::Initialize(arguments) => arguments.run(global),
            Command::Pin(command) => command.run(global),
            Command::SoPin(command) => command.run(global),
            Command::Key(command) => command.run(global),
            Command::Sign(arguments) => arguments.run(global),
            Command::Verify(arguments) => arguments.run(global),
            Command::Decrypt(arguments) => arguments.run(global),
            Command::Agree(arguments) => arguments.run(global),
            Command::Cipher(command) => command.run(global),
            Command::Mac(command) => command.run(global),
            Command::Kdf(command) => command.run(global),
            Command::Random(arguments) => arguments.run(global),
            Command::Data(command) => command.run(global),
            Command::Cert(command) => command.run(global),
            Command::Domain(command) => command.run(global),
            Command::Dkek(command) => command.run(global),
            Command::Backup(command) => command.run(global),
            Command::Restore(command) => command.run(global),
            Command::Ceremony(command) => command.run(global),
            Command::Wallet(command) => command.run(global),
            Command::Label(command) => command.run(global),
            Command::Attest(command) => command.run(global),
            Command::Ca(command) => command.run(global),
            Command::Pka(command) => command.run(global),
            Command::Group(command) => command.run(global),
            Command::Lock(command) => command.run(global),
            Command::Clock(command) => command.run(global),
            Command::Option(command) => command.run(global),
            Command::Config(command) => command.run(global),
            Command::SecureBoot(command) => command.run(global),
            Command::Reboot(command) => command.run(global),
            Command::FactoryReset(command) => command.run(global),
            Command::Apdu(command) => command.run(global),
            Command::Completions(arguments) => arguments.run(),
            Command::Man(arguments) => arguments.run(),
        };
        result.map_err(|error| global.explain(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// Names of the commands that do something, as they are typed.
    fn names(command: &clap::Command, before: &str, found: &mut Vec<String>) {
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            let name = format!("{before}{}", command.get_name());
            match command.has_subcommands() {
                true => names(command, &format!("{name} "), found),
                false => found.push(name),
            }
        }
    }

    #[test]
    fn the_command_line_is_sound_and_the_json_of_every_command_is_documented() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        command.build();
        let page = include_str!("../../../docs/src/tool-json.md");
        let documented: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
        let mut commands = Vec::new();
        names(&command, "", &mut commands);
        assert!(commands.len() > 60, "{commands:?}");
        for name in commands {
            assert!(documented.iter().any(|row| row.contains(&format!("`{name}`"))), "{name} is not documented");
        }
    }
}
