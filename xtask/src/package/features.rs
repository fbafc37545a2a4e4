//! Each crate compiles without its default features, and in the long run with every set of features.

use anyhow::Result;

use crate::metadata::Package;
use crate::process;

/// Checks the sets of features of the crates, `torch` left out; returns how many there were.
pub(super) fn check(packages: &[&Package], every: bool) -> Result<usize> {
    let mut count = 0;
    for package in packages {
        for set in sets(&package.features, every) {
            let mut args = vec!["check", "--quiet", "--package", &package.name, "--no-default-features"];
            let named = set.join(",");
            if !set.is_empty() {
                args.extend(["--features", &named]);
            }
            if every {
                args.push("--release");
            }
            process::run(process::cargo(args))?;
            count += 1;
        }
    }
    Ok(count)
}

/// No feature; or every subset. The tests build all of them together. Without a `default`, none is what the consumers build.
fn sets(features: &[String], every: bool) -> Vec<Vec<&str>> {
    let features = features.iter().map(String::as_str);
    let (default, mut features): (Vec<&str>, Vec<&str>) = features.partition(|name| *name == "default");
    features.retain(|name| *name != "torch");
    let masks = usize::from(default.is_empty())..1 << features.len();
    let chosen = masks.filter(|mask| every || *mask == 0);
    let subset = |mask: usize| {
        let members = features.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1);
        members.map(|(_, name)| *name).collect()
    };
    chosen.map(subset).collect()
}

#[cfg(test)]
mod tests {
    use super::sets;

    #[test]
    fn sets_are_none_or_every_subset() {
        let features = ["default", "half", "rayon", "torch"].map(str::to_owned);
        assert_eq!(sets(&features, false), [Vec::<&str>::new()]);
        assert_eq!(sets(&features, true), [vec![], vec!["half"], vec!["rayon"], vec!["half", "rayon"]]);
        assert_eq!(sets(&features[1..], false), Vec::<Vec<&str>>::new());
        assert_eq!(sets(&features[1..3], true), [vec!["half"], vec!["rayon"], vec!["half", "rayon"]]);
        assert_eq!(sets(&[], true), Vec::<Vec<&str>>::new());
    }
}
