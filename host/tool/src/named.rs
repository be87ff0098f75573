//! Objects that a user names by number or label, and kinds and schemes that have names.

use ferrite_client::{Error, ErrorKind, Result};

/// The one object that has this name: its number, or else its label. `what` says what is being done, `none` that there is no
/// such object, and `advice` how to see those that there are.
///
/// # Errors
/// No object, or several, have the name.
pub(crate) fn named<O>(
    mut objects: Vec<O>,
    name: &str,
    number_and_label: impl Fn(&O) -> (u8, &str),
    what: String,
    [none, advice]: [&'static str; 2],
) -> Result<O> {
    let number = name.parse::<u8>().ok();
    objects.retain(|object| {
        let (its_number, label) = number_and_label(object);
        number.map_or(label == name, |number| number == its_number)
    });
    match objects.len() {
        0 => Err(Error::new(ErrorKind::NotFound, what, none).advise(advice)),
        1 => Ok(objects.swap_remove(0)),
        _ => Err(Error::new(ErrorKind::Ambiguous, what, "several have this label").advise("Name one by its number.")),
    }
}

/// Reads a name from the command line; if there is no such, says which there are.
pub(crate) fn parse<T: std::str::FromStr<Err = Error>>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|error: Error| match error.advice() {
        Some(advice) => format!("{}\n{advice}", error.why()),
        None => error.why().to_owned(),
    })
}
