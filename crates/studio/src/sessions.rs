//! Sessions: one for each tab, no more than a number of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::editor::Editor;
use crate::error::Refused;

/// Editors by name; the one that was not used for the longest gives way to a new one.
#[derive(Debug)]
pub(crate) struct Sessions {
    inner: Mutex<Inner>,
    most: usize,
}

#[derive(Debug, Default)]
struct Inner {
    editors: HashMap<String, (u64, Arc<Mutex<Editor>>)>,
    /// Counts uses.
    clock: u64,
    /// Counts sessions.
    made: u64,
}

impl Sessions {
    pub(crate) fn new(most: usize) -> Self {
        Self { inner: Mutex::default(), most: most.max(1) }
    }

    /// Nothing in the lock can panic half-way.
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A name for an editor.
    pub(crate) fn add(&self, editor: Editor) -> String {
        self.with(|inner| {
            while inner.editors.len() >= self.most {
                let oldest =
                    inner.editors.iter().min_by_key(|(_, (used, _))| *used).map(|(name, _)| name.clone());
                oldest.and_then(|name| inner.editors.remove(&name));
            }
            inner.clock += 1;
            inner.made += 1;
            let name = format!("s{}", inner.made);
            inner.editors.insert(name.clone(), (inner.clock, Arc::new(Mutex::new(editor))));
            name
        })
    }

    /// The editor of a name.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Mutex<Editor>>, Refused> {
        self.with(|inner| {
            inner.clock += 1;
            let now = inner.clock;
            let (used, editor) = inner.editors.get_mut(name).ok_or_else(Refused::unknown_session)?;
            *used = now;
            Ok(editor.clone())
        })
    }
}
