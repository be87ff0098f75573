//! Checks of what the compiler does not look at: dependencies, licences, links.

use crate::run::{capture, cargo, root};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Licences that may be used.
const LICENCES: [&str; 8] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Zlib",
    "Unicode-3.0",
    "0BSD",
    "Apache-2.0 WITH LLVM-exception",
];
/// Crates that must be there in one generation only: mixing generations of these mixes incompatible traits.
const ONE_GENERATION: [&str; 17] = [
    "aead",
    "aes",
    "chacha20",
    "cipher",
    "crypto-bigint",
    "der",
    "digest",
    "ecdsa",
    "elliptic-curve",
    "hkdf",
    "hmac",
    "p256",
    "rand_core",
    "sha1",
    "sha2",
    "subtle",
    "zeroize",
];

/// One generation of the cryptographic crates, and no licence but those allowed.
pub(crate) fn dependencies() -> Result<()> {
    let metadata = capture(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata is not JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut problems = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        versions.entry(name).or_default().push(package["version"].as_str().unwrap_or_default());
        let licence = package["license"].as_str().unwrap_or("none");
        if !is_allowed(licence) {
            problems.push(format!("{name}: licence {licence}"));
        }
    }
    for name in ONE_GENERATION {
        if let Some(found) = versions.get(name).filter(|found| found.len() > 1) {
            problems.push(format!("{name}: several versions: {}", found.join(", ")));
        }
    }
    if !problems.is_empty() {
        bail!("dependencies are not as they should be:\n  {}", problems.join("\n  "));
    }
    println!("{} packages, all under MIT, Apache, BSD or the like", packages.len());
    Ok(())
}

/// Whether an SPDX expression leaves a choice that is allowed: one of its alternatives, with all of its parts.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    expression.split(" AND ").all(|part| part.split(" OR ").any(|licence| LICENCES.contains(&licence.trim())))
}

/// Every relative link in the documentation leads to a file.
pub(crate) fn links() -> Result<()> {
    let root = root();
    let mut files: Vec<PathBuf> = Vec::new();
    collect(&root, &mut files, false)?;
    collect(&root.join("docs"), &mut files, true)?;
    let mut broken = Vec::new();
    let mut count = 0;
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        for target in targets(&text) {
            count += 1;
            let path = target.split('#').next().unwrap_or_default();
            let folder = file.parent().unwrap_or(&root);
            if !path.is_empty() && !folder.join(path).exists() {
                broken.push(format!("{}: {target}", file.strip_prefix(&root).unwrap_or(file).display()));
            }
        }
    }
    if !broken.is_empty() {
        bail!("links that lead nowhere:\n  {}", broken.join("\n  "));
    }
    println!("{count} links in {} pages", files.len());
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>, recursive: bool) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && recursive {
            collect(&path, files, true)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(())
}

/// The targets of relative links.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|target| !target.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_licences_are_allowed() {
        for allowed in ["MIT", "MIT OR Apache-2.0", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND Unicode-3.0"] {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for refused in ["GPL-3.0", "none", "MIT AND GPL-3.0", "MPL-2.0"] {
            assert!(!is_allowed(refused), "{refused}");
        }
    }

    #[test]
    fn links_are_found() {
        let text = "a [b](c.md) and [d](https://example.org/) and [e](f/g.md#h)";
        assert_eq!(targets(text).collect::<Vec<_>>(), ["c.md", "f/g.md#h"]);
    }
}
