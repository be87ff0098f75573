//! Programming by pages: the ROM of the chips programs 256 bytes at a time, at addresses that are multiples of 256.
//! What lies around the wanted bytes is sent as `FF`, which leaves the cells of NOR flash as they are.

/// Bytes programmed at once.
pub const PAGE: usize = 256;

/// One page to be programmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Offset on flash, a multiple of [`PAGE`].
    pub offset: u32,
    /// What to program.
    pub bytes: [u8; PAGE],
}

/// The pages that put `data` at `offset`.
pub fn pages(offset: u32, data: &[u8]) -> impl Iterator<Item = Page> {
    let in_page = usize::try_from(offset).unwrap_or(0) % PAGE;
    let first = PAGE.saturating_sub(in_page).min(data.len());
    let (head, rest) = data.split_at_checked(first).unwrap_or_default();
    let start = offset.saturating_sub(u32::try_from(in_page).unwrap_or(0));
    let aligned = offset.saturating_add(u32::try_from(first).unwrap_or(0));
    let following = rest.chunks(PAGE).enumerate().map(move |(n, chunk)| {
        let distance = u32::try_from(n.saturating_mul(PAGE)).unwrap_or(u32::MAX);
        page(aligned.saturating_add(distance), 0, chunk)
    });
    (!head.is_empty()).then(|| page(start, in_page, head)).into_iter().chain(following)
}

fn page(offset: u32, at: usize, data: &[u8]) -> Page {
    let mut bytes = [0xFF; PAGE];
    bytes.iter_mut().skip(at).zip(data).for_each(|(to, from)| *to = *from);
    Page { offset, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn programming_the_pages_clears_what_was_to_be_cleared_and_nothing_else(
            offset in 0u32..2000, data in prop::collection::vec(any::<u8>(), 0..1200)
        ) {
            let mut flash = vec![0xFFu8; 4096];
            let mut last = None;
            for page in pages(offset, &data) {
                prop_assert_eq!(page.offset as usize % PAGE, 0);
                prop_assert!(last < Some(page.offset), "in order, none twice");
                last = Some(page.offset);
                let at = page.offset as usize;
                flash[at..at + PAGE].iter_mut().zip(page.bytes).for_each(|(cell, byte)| *cell &= byte);
            }
            let mut expected = vec![0xFFu8; 4096];
            expected[offset as usize..offset as usize + data.len()].copy_from_slice(&data);
            prop_assert_eq!(flash, expected);
        }
    }

    #[test]
    fn a_word_takes_one_page_and_none_takes_none() {
        assert_eq!(pages(508, &[1, 2, 3, 4]).collect::<Vec<_>>().len(), 1);
        assert_eq!(pages(510, &[1, 2, 3, 4]).collect::<Vec<_>>().len(), 2);
        assert_eq!(pages(300, &[]).count(), 0);
    }
}
