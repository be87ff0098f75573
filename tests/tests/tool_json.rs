//! What `pico-hsm-tool --json` prints, for every command: one object, whose members the documentation names.

use anyhow::{Context, Result, ensure};
use ferrite_tests::tool::{Outcome, Tool};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A row of the documentation: commands, and the words that are set as code in the second column.
struct Row {
    commands: Vec<String>,
    members: BTreeSet<String>,
}

fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn documented() -> Result<Vec<Row>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/tool-json.md");
    let page = fs::read_to_string(page)?;
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let mut rows: Vec<_> = cells
        .map(|(commands, members)| Row { commands: code(commands), members: code(members).into_iter().collect() })
        .collect();
    // "as `other command`"
    for at in 0..rows.len() {
        for other in rows[at].members.clone() {
            if let Some(row) = rows.iter().position(|row| row.commands.contains(&other)) {
                let members = rows[row].members.clone();
                rows[at].members.extend(members);
            }
        }
    }
    Ok(rows)
}

/// Every command that one device does alone, with arguments, in an order in which each finds what it needs.
const RUNS: &[(&str, &str)] = &[
    ("initialize", "--yes --dkek-shares 1 --session-pin --label Office"),
    ("list", ""),
    ("status", ""),
    ("pin status", ""),
    ("dkek create-share", "share"),
    ("dkek import-share", "share"),
    ("domain list", ""),
    ("key generate", "p256 --label p"),
    ("key generate", "rsa:1024 --label r"),
    ("key generate", "aes:256 --label s"),
    ("key generate", "x25519 --label x"),
    ("key generate", "p256 --label gone"),
    ("key list", ""),
    ("key show", "p"),
    ("key label", "gone going"),
    ("key delete", "going --yes"),
    ("key derive", "p 0000000000000000000000000000000000000000000000000000000000000001 --label d"),
    ("key list", ""),
    ("sign", "d file"),
    ("key public-key", "r"),
    ("key public-key", "r -o r.pem"),
    ("key public-key", "x -o x.pem"),
    ("key import", "own.pem --share share --label own"),
    ("sign", "p file"),
    ("sign", "p file -o signature"),
    ("verify", "p file -s signature"),
    ("decrypt", "r encrypted --padding pkcs1"),
    ("agree", "x x.pem"),
    ("cipher encrypt", "s file"),
    ("cipher encrypt", "s file -o sealed"),
    ("cipher decrypt", "s sealed"),
    ("mac", "s file"),
    ("kdf", "s"),
    ("random", "16"),
    ("data put", "note file"),
    ("data list", ""),
    ("data get", "note"),
    ("data delete", "note --yes"),
    ("cert request", "p --subject CN=p -o request"),
    ("cert self-signed", "p --subject CN=p --for ca"),
    ("cert issue", "p request -o certificate"),
    ("cert put", "certificate --label other"),
    ("cert list", ""),
    ("cert get", "key:p"),
    ("cert delete", "other --yes"),
    ("backup", "backup"),
    ("backup", "--key p one"),
    ("restore", "one"),
    ("restore", "backup"),
    ("key generate", "p256 --label fresh"),
    ("wallet create", "0 --yes"),
    ("wallet xpub", "0 m/0'"),
    ("wallet sign", "0 m/0' -i file"),
    ("label", "Another"),
    ("attest key", "fresh -o report"),
    ("ca create", "authority"),
    ("ca certify", "authority"),
    ("ca check", "--root authority/root.cvcert"),
    ("ca device-key", "-o device.pem"),
    ("pin session make", "--channel key:device.pem"),
    ("pin session make", "--channel key:device.pem -o session"),
    ("pin session clear", "--channel key:device.pem"),
    ("pka status", ""),
    ("pka introduce", "fresh"),
    ("group create", "group"),
    ("lock enable", "mask --yes"),
    ("lock open", "mask"),
    ("lock disable", "mask"),
    ("clock get", ""),
    ("clock set", ""),
    ("clock get", ""),
    ("option list", ""),
    ("option set", "--count-every-key off"),
    ("config show", ""),
    ("config set", "--led-brightness 3"),
    ("config clear", "--yes"),
    ("secure-boot status", ""),
    ("apdu", "00200081"),
    ("pin change", "--new-pin env:PICO_HSM_PIN"),
    ("pin unblock", "--keep"),
    ("so-pin change", "--new-so-pin env:PICO_HSM_SO_PIN"),
    ("completions", "bash"),
    ("man", "pages"),
    ("ceremony rehearse", "--parts 3 --needed 2"),
    ("ceremony hold", "held.share --parts 3 --needed 2 --parts-to parts --minutes minutes --initialize --yes"),
    ("reboot", ""),
];

fn object(text: &str) -> Result<serde_json::Map<String, Value>> {
    match serde_json::from_str(text).with_context(|| format!("no JSON: {text:?}"))? {
        Value::Object(object) => Ok(object),
        other => anyhow::bail!("no object: {other}"),
    }
}

#[test]
fn every_command_prints_one_object_with_the_members_that_are_documented() -> Result<()> {
    let rows = documented()?;
    let tool = Tool::blank()?;
    fs::write(tool.file("file"), "hello")?;
    let openssl = |arguments: &str| -> Result<()> {
        let mut command = std::process::Command::new("openssl");
        ensure!(command.args(arguments.split(' ')).current_dir(tool.dir()).output()?.status.success(), "{arguments}");
        Ok(())
    };
    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out own.pem")?;
    for (name, arguments) in RUNS {
        if *name == "decrypt" {
            openssl("pkeyutl -encrypt -pubin -inkey r.pem -in file -out encrypted")?;
        }
        let words: Vec<_> = ["--json"].into_iter().chain(name.split(' ')).chain(arguments.split_whitespace()).collect();
        let mut command = tool.command(&words);
        command.env("PICO_HSM_SHARE_PASSWORD", "a password").env("PICO_HSM_CA_PASSWORD", "a long password");
        command.env("PICO_HSM_GROUP_PASSWORD", "a long password");
        let outcome = ferrite_tests::tool::run(&mut command)?;
        ensure!(outcome.code == 0, "{words:?} ended with {}: {}", outcome.code, outcome.stderr);
        let printed = object(&outcome.text()).with_context(|| format!("{words:?}"))?;
        let row = rows.iter().find(|row| row.commands.iter().any(|command| command == name));
        let row = row.with_context(|| format!("{name} is not documented"))?;
        ensure!(!printed.is_empty(), "{name} says nothing");
        for member in printed.keys() {
            ensure!(row.members.contains(member), "{member:?} of {name} is not documented");
        }
    }
    Ok(())
}

/// The error that is on standard error, and nothing else.
fn failure(outcome: &Outcome) -> Result<serde_json::Map<String, Value>> {
    ensure!(outcome.stdout.is_empty(), "something is on standard output");
    let mut object = object(&outcome.stderr)?;
    ensure!(object.len() == 1);
    match object.remove("error") {
        Some(Value::Object(error)) => Ok(error),
        other => anyhow::bail!("no error: {other:?}"),
    }
}

#[test]
fn every_failure_is_an_object_too_even_a_command_line_that_cannot_be_read() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    tool.succeed(&["key", "generate", "p256"])?;
    for (arguments, kind, code) in [
        (&["nonsense"][..], "usage", 1),
        (&["key"], "usage", 1),
        (&["sign"], "usage", 1),
        (&["key", "generate", "nonsense"], "usage", 1),
        (&["--pin", "648219", "status"], "usage", 1),
        (&["--device", "/nowhere", "status"], "no-device", 2),
        (&["--pin", "env:PICO_HSM_SO_PIN", "key", "generate", "p256"], "wrong-pin", 3),
        (&["sign", "nobody", "/dev/null"], "not-found", 5),
        (&["key", "delete", "9", "--yes"], "not-found", 5),
        (&["backup", "backup"], "not-found", 5),
        (&["cert", "put", "/nowhere"], "io", 7),
    ] {
        let outcome = tool.run(&[&["--json"], arguments].concat())?;
        let error = failure(&outcome).with_context(|| format!("{arguments:?}"))?;
        assert_eq!((error["kind"].as_str(), outcome.code), (Some(kind), code), "{arguments:?}: {error:?}");
        assert_eq!(error["exit_code"], code);
        assert!(error["message"].as_str().is_some_and(|message| message.starts_with("cannot ")), "{error:?}");
        assert!(!outcome.stderr.contains("648219"), "a secret is repeated: {error:?}");
    }
    Ok(())
}
