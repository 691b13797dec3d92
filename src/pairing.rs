//! Which low-resolution image belongs to which reference, by their names and folders alone; never by their order.
//!
//! Equal names belong together, and names that are alike but for what says which of a pair a file is, or at what scale: `HR`,
//! `LR`, `GT`, `x2`, `_x2`, `X2`, `bicubic`. Folders are read likewise: `HR/0801.png` and `LR_bicubic/X2/0801x2.png` are a
//! pair, and what lies below `X3` is for another scale.

use std::collections::{HashMap, HashSet};

/// What can be read, by the ending of its name.
const READABLE: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// Pictures too, which cannot.
const OTHERS: [&str; 22] = [
    "avif", "bmp", "cr2", "cr3", "dng", "exr", "gif", "hdr", "heic", "heif", "ico", "j2k", "jp2", "jxl",
    "mpo", "nef", "pbm", "pgm", "pnm", "ppm", "tif", "tiff",
];

/// What a file of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A picture that can be read, as far as its name tells.
    Picture,
    /// A picture of a kind that cannot be read.
    Unreadable,
    /// No picture.
    Other,
}

impl Kind {
    /// Of a file of this name.
    pub fn of(path: &str) -> Self {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        // What begins with a dot is hidden.
        let ending = match name.rsplit_once('.') {
            Some((stem, ending)) if !stem.is_empty() => ending.to_ascii_lowercase(),
            _ => return Kind::Other,
        };
        match ending.as_str() {
            ending if READABLE.contains(&ending) => Kind::Picture,
            ending if OTHERS.contains(&ending) => Kind::Unreadable,
            _ => Kind::Other,
        }
    }
}

/// Files by their place in the list that was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Pairing {
    /// References in the order that was given, each with its low-resolution image, or without where there is none at all: then
    /// they are to be shrunk.
    pub pairs: Vec<(usize, Option<usize>)>,
    /// References and low-resolution images that have no partner, or more than one.
    pub unpaired: Vec<usize>,
    /// Pictures of a kind that cannot be read.
    pub unreadable: Vec<usize>,
}

/// Pairs the files of a folder and of those within it, for a network that enlarges so many times.
pub fn pair_folder(paths: &[&str], scale: usize) -> Pairing {
    let mut files = Vec::new();
    let mut unreadable = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        match Kind::of(path) {
            Kind::Picture => files.push(File::of(index, path, scale)),
            Kind::Unreadable => unreadable.push(index),
            Kind::Other => {}
        }
    }
    files.retain(|file| !file.of_another_scale);
    // Where nothing else tells, the one that names the scale is the low-resolution image of the one that does not.
    let plain: HashSet<String> = files
        .iter()
        .filter(|file| file.role.is_none() && !file.scaled)
        .map(|file| file.key.clone())
        .collect();
    for file in &mut files {
        if file.role.is_none() && file.scaled && plain.contains(&file.key) {
            file.role = Some(Role::Low);
        }
    }
    let (lows, references): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| file.role == Some(Role::Low));
    Pairing { unreadable, ..pair(references, lows) }
}

/// Pairs the names of references with those of low-resolution images, which are numbered after them.
pub fn pair_names(references: &[&str], lows: &[&str], scale: usize) -> Pairing {
    let file = |index: usize, name: &str| File::of(index, name.rsplit('/').next().unwrap_or(name), scale);
    let references: Vec<File> =
        references.iter().enumerate().map(|(index, name)| file(index, name)).collect();
    let count = references.len();
    let lows = lows.iter().enumerate().map(|(index, name)| file(count + index, name));
    pair(references, lows.collect())
}

fn pair(references: Vec<File>, lows: Vec<File>) -> Pairing {
    if lows.is_empty() {
        let pairs = references.into_iter().map(|reference| (reference.index, None));
        return Pairing { pairs: pairs.collect(), ..Pairing::default() };
    }
    // Either way.
    let mut partners: HashMap<usize, usize> = HashMap::new();
    // Equal names first: a name may be another's with a scale behind it.
    for name in [(|file: &File| &file.exact) as fn(&File) -> &String, |file| &file.key] {
        let mut by_name: HashMap<&String, [Vec<usize>; 2]> = HashMap::new();
        for (side, files) in [&references, &lows].into_iter().enumerate() {
            for file in files.iter().filter(|file| !partners.contains_key(&file.index)) {
                by_name.entry(name(file)).or_default()[side].push(file.index);
            }
        }
        for sides in by_name.values() {
            if let [[reference], [low]] = [&sides[0][..], &sides[1][..]] {
                partners.extend([(*reference, *low), (*low, *reference)]);
            }
        }
    }
    let mut pairing = Pairing::default();
    for reference in &references {
        match partners.get(&reference.index) {
            Some(low) => pairing.pairs.push((reference.index, Some(*low))),
            None => pairing.unpaired.push(reference.index),
        }
    }
    let left = lows.iter().filter(|low| !partners.contains_key(&low.index));
    pairing.unpaired.extend(left.map(|low| low.index));
    pairing
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    High,
    Low,
}

/// A file, and what its path says.
struct File {
    index: usize,
    role: Option<Role>,
    /// Whether its name says the scale.
    scaled: bool,
    of_another_scale: bool,
    /// The folders that say nothing of a pair, and the name without its ending.
    exact: String,
    /// The same without what says which of a pair it is.
    key: String,
}

impl File {
    fn of(index: usize, path: &str, scale: usize) -> Self {
        let path = path.replace('\\', "/");
        let mut folders: Vec<&str> = path.split('/').collect();
        let name = folders.pop().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let mut role = None;
        let mut other = false;
        folders.retain(|folder| {
            let words = words(folder);
            let own = words.iter().rev().find_map(|word| role_of(word));
            let scales: Vec<usize> = words.iter().filter_map(|word| scale_of(word)).collect();
            role = own.or(role);
            other |= scales.iter().any(|own| *own != scale);
            own.is_none() && scales.is_empty()
        });
        let (rest, own, scaled) = stripped(stem, scale);
        let folders = folders.join("/");
        let within =
            |name: &str| if folders.is_empty() { name.to_owned() } else { format!("{folders}/{name}") };
        File {
            index,
            role: own.or(role),
            scaled,
            of_another_scale: other,
            exact: within(stem),
            key: within(&rest),
        }
    }
}

/// What lies between words; letters beyond ASCII are none of it.
fn is_separator(c: char) -> bool {
    c.is_ascii() && !c.is_ascii_alphanumeric()
}

/// The parts of a name between what is no letter and no digit, in lower case.
fn words(text: &str) -> Vec<String> {
    let parts = text.split(is_separator).filter(|part| !part.is_empty());
    parts.map(str::to_ascii_lowercase).collect()
}

fn role_of(word: &str) -> Option<Role> {
    match word {
        "hr" | "gt" => Some(Role::High),
        "lr" => Some(Role::Low),
        _ => None,
    }
}

/// `x2` is 2.
fn scale_of(word: &str) -> Option<usize> {
    word.strip_prefix('x')?.parse().ok().filter(|scale| (1..=16).contains(scale))
}

/// A name without what says which of a pair it is, at its beginning and end; which it is, and whether it says the scale.
fn stripped(stem: &str, scale: usize) -> (String, Option<Role>, bool) {
    let (mut rest, mut role, mut scaled) = (stem, None, false);
    loop {
        let trimmed = rest.trim_matches(is_separator);
        let lower = trimmed.to_ascii_lowercase();
        let suffix = format!("x{scale}");
        let word_before = |at: usize| {
            let before = lower[..at].chars().next_back();
            before.is_some_and(|c| c.is_ascii() && !c.is_ascii_alphabetic())
        };
        let shorter = if !scaled && lower.len() > suffix.len() && lower.ends_with(&suffix) {
            scaled = true;
            &trimmed[..trimmed.len() - suffix.len()]
        } else if let Some(word) = ["hr", "lr", "gt", "bicubic"]
            .iter()
            .find(|word| lower.ends_with(**word) && word_before(lower.len() - word.len()))
        {
            role = role.or(role_of(word));
            &trimmed[..trimmed.len() - word.len()]
        } else if let Some(word) = ["hr", "lr", "gt"]
            .iter()
            .find(|word| lower.strip_prefix(**word).is_some_and(|rest| rest.starts_with(is_separator)))
        {
            role = role.or(role_of(word));
            &trimmed[word.len()..]
        } else {
            break;
        };
        if shorter.trim_matches(is_separator).is_empty() {
            break;
        }
        rest = shorter;
    }
    let rest = if rest.len() == stem.len() { stem } else { rest.trim_matches(is_separator) };
    (rest.to_owned(), role, scaled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// The pairs as names, and what has no partner.
    fn named(references: &[&str], lows: &[&str]) -> (Vec<String>, Vec<String>) {
        let all = [references, lows].concat();
        let Pairing { pairs, unpaired, .. } = pair_names(references, lows, 2);
        let pair = |(high, low): (usize, Option<usize>)| match low {
            Some(low) => format!("{} {}", all[high], all[low]),
            None => all[high].to_owned(),
        };
        (pairs.into_iter().map(pair).collect(), unpaired.into_iter().map(|at| all[at].to_owned()).collect())
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn names_are_paired_and_never_their_order() {
        let references: Vec<String> = (1..=12).map(|i| format!("{i}.png")).collect();
        let lows: Vec<String> = (1..=12).map(|i| format!("{i}x2.png")).collect();
        let highs: Vec<&str> = references.iter().map(String::as_str).collect();
        let lows: Vec<&str> = lows.iter().map(String::as_str).collect();
        let (pairs, unpaired) = named(&highs, &lows);
        assert!(unpaired.is_empty() && pairs.len() == 12);
        for pair in pairs {
            let (high, low) = pair.split_once(' ').unwrap();
            assert_eq!(low, high.replace(".png", "x2.png"));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn names_may_differ_in_what_says_which_of_a_pair_they_are() {
        for (high, low) in [
            ("baby.png", "baby.png"),
            ("baby.png", "baby.jpg"),
            ("baby.png", "babyx2.png"),
            ("baby.png", "baby_x2.png"),
            ("baby.png", "babyX2.png"),
            ("baby_HR.png", "baby_LR.png"),
            ("img_001_SRF_2_HR.png", "img_001_SRF_2_LR.png"),
            ("hr_baby.png", "lr_baby.png"),
            ("baby_GT.png", "baby_LR_bicubic_x2.png"),
            ("0801.png", "0801x2.png"),
        ] {
            assert_eq!(named(&[high], &[low]), (vec![format!("{high} {low}")], vec![]));
        }
        for (high, low) in [
            ("baby.png", "bird.png"),
            ("baby.png", "babyx3.png"),
            ("baby.png", "babyx4.png"),
            ("chr.png", "clr.png"),
            ("x2.png", "x.png"),
        ] {
            assert_eq!(named(&[high], &[low]), (vec![], vec![high.to_owned(), low.to_owned()]));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn an_equal_name_comes_before_a_similar_one_and_two_of_them_are_no_pair() {
        let (pairs, unpaired) = named(&["1.png", "1x2.png"], &["1x2.png", "1x2x2.png"]);
        assert_eq!((pairs, unpaired.len()), (vec!["1x2.png 1x2.png".to_owned()], 2));
        let (pairs, unpaired) = named(&["a.png"], &["ax2.png", "a_x2.png"]);
        assert_eq!((pairs.len(), unpaired.len()), (0, 3));
        let (pairs, unpaired) = named(&["a.png", "b.png"], &["b.png"]);
        assert_eq!((pairs, unpaired), (vec!["b.png b.png".to_owned()], vec!["a.png".to_owned()]));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn folders_of_the_field_are_understood() {
        let paths = [
            "DIV2K/HR/0801.png",
            "DIV2K/HR/0802.png",
            "DIV2K/LR_bicubic/X2/0802x2.png",
            "DIV2K/LR_bicubic/X2/0801x2.png",
            "DIV2K/LR_bicubic/X3/0801x3.png",
            "DIV2K/LR_bicubic/X4/0801x4.png",
            "DIV2K/readme.txt",
            "DIV2K/HR/old.bmp",
            "DIV2K/HR/.DS_Store",
        ];
        let Pairing { pairs, unpaired, unreadable } = pair_folder(&paths, 2);
        assert_eq!(pairs, [(0, Some(3)), (1, Some(2))]);
        assert_eq!((unpaired, unreadable), (vec![], vec![7]));
        let for_four = pair_folder(&paths, 4);
        assert_eq!((for_four.pairs, for_four.unpaired), (vec![(0, Some(5))], vec![1]));
        let for_eight = pair_folder(&paths, 8);
        assert_eq!(for_eight.pairs, [(0, None), (1, None)], "what there is is for other scales");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn sets_with_like_names_stay_apart() {
        let paths = ["Set5/HR/1.png", "Set14/HR/1.png", "Set14/LR/1.png", "Set5/LR/1.png"];
        assert_eq!(pair_folder(&paths, 2).pairs, [(0, Some(3)), (1, Some(2))]);
        let flat = ["s/baby.png", "s/babyx2.png", "s/bird_x2.png", "s/bird.png"];
        assert_eq!(pair_folder(&flat, 2).pairs, [(0, Some(1)), (3, Some(2))]);
        let alone = ["s/b.png", "s/a.png"];
        assert_eq!(pair_folder(&alone, 2).pairs, [(0, None), (1, None)], "in the order that was given");
    }
}
