//! What is in memory, what is on disk, and which changes of names are in between.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

/// Number of a file or folder, independent of its names.
pub(super) type Node = usize;

/// The root folder.
pub(super) const ROOT: Node = 0;

/// A name in a folder.
pub(super) type Place = (Node, String);

/// Who is where.
pub(super) type Names = BTreeMap<Place, Node>;

/// A file; `disk` is what survives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct File {
    pub(super) memory: Vec<u8>,
    pub(super) disk: Vec<u8>,
}

/// A change of names that is not on disk yet.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) change: Change,
    /// The folder whose sync brings it to disk.
    dir: Node,
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Link(Place, Node),
    /// The place, and what is removed from it.
    Unlink(Place, Node),
    /// Old place, new place, what moves.
    Move(Place, Place, Node),
}

impl Change {
    pub(super) fn apply(&self, names: &mut Names) {
        match self {
            Self::Link(place, node) => {
                names.insert(place.clone(), *node);
            }
            Self::Unlink(place, node) => {
                // The name may never have reached the disk, or be another's by now.
                if names.get(place) == Some(node) {
                    names.remove(place);
                }
            }
            Self::Move(from, to, node) => {
                Self::Unlink(from.clone(), *node).apply(names);
                names.insert(to.clone(), *node);
            }
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct State {
    next: Node,
    pub(super) dirs: BTreeSet<Node>,
    pub(super) files: BTreeMap<Node, File>,
    names: Names,
    pub(super) disk_names: Names,
    pub(super) pending: Vec<Pending>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            next: ROOT + 1,
            dirs: BTreeSet::from([ROOT]),
            files: BTreeMap::new(),
            names: Names::new(),
            disk_names: Names::new(),
            pending: Vec::new(),
        }
    }
}

impl State {
    /// A state in which everything is on disk; what `names` does not reach from the root is gone.
    pub(super) fn rebooted(&self, names: &Names, contents: &BTreeMap<Node, Vec<u8>>) -> Self {
        let mut state = Self { next: self.next, ..Self::default() };
        let mut open = vec![ROOT];
        while let Some(dir) = open.pop() {
            for (place, &node) in children(names, dir) {
                if self.dirs.contains(&node) {
                    // A folder has one name only: half of a move between folders must not make a second one.
                    if state.dirs.insert(node) {
                        state.names.insert(place.clone(), node);
                        open.push(node);
                    }
                } else {
                    state.names.insert(place.clone(), node);
                    let data = contents.get(&node).cloned().unwrap_or_default();
                    state.files.insert(node, File { memory: data.clone(), disk: data });
                }
            }
        }
        state.disk_names = state.names.clone();
        state
    }

    /// Path and contents of everything; folders end in a slash and have none.
    pub(super) fn tree(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let mut tree = BTreeMap::new();
        let mut open = vec![(ROOT, String::new())];
        while let Some((dir, prefix)) = open.pop() {
            for ((_, name), &node) in children(&self.names, dir) {
                let path = format!("{prefix}{name}");
                if let Some(file) = self.files.get(&node) {
                    tree.insert(path, Some(file.memory.clone()));
                } else {
                    open.push((node, format!("{path}/")));
                    tree.insert(format!("{path}/"), None);
                }
            }
        }
        tree
    }

    fn find(&self, path: &str) -> io::Result<Node> {
        path.split('/').filter(|part| !part.is_empty()).try_fold(ROOT, |dir, part| {
            if !self.dirs.contains(&dir) {
                return Err(error(ErrorKind::NotADirectory, path));
            }
            self.names.get(&(dir, part.to_owned())).copied().ok_or_else(|| error(ErrorKind::NotFound, path))
        })
    }

    fn place(&self, path: &str) -> io::Result<Place> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.is_empty() {
            return Err(error(ErrorKind::InvalidInput, "the root"));
        }
        let dir = self.find(parent)?;
        if !self.dirs.contains(&dir) {
            return Err(error(ErrorKind::NotADirectory, parent));
        }
        Ok((dir, name.to_owned()))
    }

    fn file(&mut self, path: &str) -> io::Result<&mut File> {
        let node = self.find(path)?;
        self.files.get_mut(&node).ok_or_else(|| error(ErrorKind::IsADirectory, path))
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        let dir = match &change {
            Change::Link((dir, _), _) | Change::Unlink((dir, _), _) | Change::Move(_, (dir, _), _) => *dir,
        };
        self.pending.push(Pending { change, dir });
    }

    fn fresh(&mut self) -> Node {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.find(path).is_ok()
    }

    pub(super) fn is_dir(&self, path: &str) -> bool {
        self.find(path).is_ok_and(|node| self.dirs.contains(&node))
    }

    pub(super) fn create_dir(&mut self, path: &str) -> io::Result<()> {
        let place = self.place(path)?;
        if self.names.contains_key(&place) {
            return Err(error(ErrorKind::AlreadyExists, path));
        }
        let node = self.fresh();
        self.dirs.insert(node);
        self.change(Change::Link(place, node));
        Ok(())
    }

    pub(super) fn write(&mut self, path: &str, data: &[u8], truncate: bool) -> io::Result<()> {
        let place = self.place(path)?;
        if !self.names.contains_key(&place) {
            let node = self.fresh();
            self.files.insert(node, File::default());
            self.change(Change::Link(place, node));
        }
        let file = self.file(path)?;
        if truncate {
            file.memory.clear();
        }
        file.memory.extend_from_slice(data);
        Ok(())
    }

    pub(super) fn sync_file(&mut self, path: &str) -> io::Result<()> {
        let file = self.file(path)?;
        file.disk.clone_from(&file.memory);
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &str) -> io::Result<()> {
        let dir = self.find(path)?;
        if !self.dirs.contains(&dir) {
            return Err(error(ErrorKind::NotADirectory, path));
        }
        for pending in std::mem::take(&mut self.pending) {
            if pending.dir != dir {
                self.pending.push(pending);
                continue;
            }
            match pending.change {
                // Between folders only the new name is on disk; the old one waits for its own folder.
                Change::Move(from, to, node) if from.0 != dir => {
                    Change::Link(to, node).apply(&mut self.disk_names);
                    self.pending.push(Pending { dir: from.0, change: Change::Unlink(from, node) });
                }
                change => change.apply(&mut self.disk_names),
            }
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let node = self.find(from)?;
        let (old, new) = (self.place(from)?, self.place(to)?);
        if old == new {
            return Ok(());
        }
        let moves_dir = self.dirs.contains(&node);
        if moves_dir && to.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) {
            return Err(error(ErrorKind::InvalidInput, to));
        }
        if let Some(&target) = self.names.get(&new) {
            match (moves_dir, self.dirs.contains(&target)) {
                (false, true) => return Err(error(ErrorKind::IsADirectory, to)),
                (true, false) => return Err(error(ErrorKind::NotADirectory, to)),
                (true, true) if children(&self.names, target).next().is_some() => {
                    return Err(error(ErrorKind::DirectoryNotEmpty, to));
                }
                _ => {}
            }
        }
        self.change(Change::Move(old, new, node));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str, dir: bool) -> io::Result<()> {
        let node = self.find(path)?;
        let place = self.place(path)?;
        match (dir, self.dirs.contains(&node)) {
            (true, false) => return Err(error(ErrorKind::NotADirectory, path)),
            (false, true) => return Err(error(ErrorKind::IsADirectory, path)),
            (true, true) if children(&self.names, node).next().is_some() => {
                return Err(error(ErrorKind::DirectoryNotEmpty, path));
            }
            _ => {}
        }
        self.change(Change::Unlink(place, node));
        Ok(())
    }

    pub(super) fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let dir = self.find(path)?;
        if !self.dirs.contains(&dir) {
            return Err(error(ErrorKind::NotADirectory, path));
        }
        Ok(children(&self.names, dir).map(|((_, name), _)| name.clone()).collect())
    }

    pub(super) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let node = self.find(path)?;
        let file = self.files.get(&node).ok_or_else(|| error(ErrorKind::IsADirectory, path))?;
        Ok(file.memory.clone())
    }
}

/// The names below one folder, sorted.
fn children(names: &Names, dir: Node) -> impl Iterator<Item = (&Place, &Node)> {
    names.range((dir, String::new())..(dir + 1, String::new()))
}

/// The components of a path below the root.
pub(super) fn split(path: &Path) -> io::Result<Vec<String>> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            Component::Normal(part) => {
                let part = part.to_str().ok_or_else(|| error(ErrorKind::InvalidInput, "not UTF-8"))?;
                parts.push(part.to_owned());
            }
            Component::ParentDir => return Err(error(ErrorKind::InvalidInput, "`..` in a path")),
        }
    }
    Ok(parts)
}

fn error(kind: ErrorKind, path: &str) -> io::Error {
    io::Error::new(kind, format!("{path}: {kind}"))
}
