//! The files that the checks look at, read once; tests make theirs up.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Texts by their path from the root, with `/` between folders.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) markdown: BTreeMap<String, String>,
    pub(crate) rust: BTreeMap<String, String>,
    pub(crate) python: BTreeMap<String, String>,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        read_folder(root, "", "md", false, &mut tree.markdown)?;
        read_folder(root, "docs", "md", true, &mut tree.markdown)?;
        read_folder(root, "python", "py", true, &mut tree.python)?;
        for folder in RUST_FOLDERS {
            read_folder(root, folder, "rs", true, &mut tree.rust)?;
        }
        Ok(tree)
    }
}

fn read_folder(
    root: &Path,
    folder: &str,
    extension: &str,
    deep: bool,
    into: &mut BTreeMap<String, String>,
) -> io::Result<()> {
    let here = root.join(folder);
    if !here.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(here)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = match folder {
            "" => name,
            _ => format!("{folder}/{name}"),
        };
        let kind = entry.file_type()?;
        if kind.is_dir() && deep && !path.ends_with("/target") {
            read_folder(root, &path, extension, deep, into)?;
        } else if kind.is_file() && Path::new(&path).extension().is_some_and(|e| e == extension) {
            into.insert(path, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

const RUST_FOLDERS: [&str; 3] = ["crates", "examples", "xtask"];
