//! [`OperationTree`], an operation with all that runs in it, kept flat so that one of any depth needs no stack.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Filter, Registry, scan};
use crate::{LiveOperation, OperationContext};

/// An operation with all the live ones that run in it: each before those inside it, and siblings in the order of their start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationTree {
    nodes: Vec<TreeNode>,
}

/// An operation in a tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TreeNode {
    /// How many of the tree's operations it runs in: zero for the root.
    pub depth: usize,
    /// What is known about it.
    pub operation: OperationContext,
}

impl OperationTree {
    /// All of them, the root first; what runs in an operation follows it at once, and is deeper.
    pub fn nodes(&self) -> &[TreeNode] {
        &self.nodes
    }

    /// All of them by value.
    pub fn into_nodes(self) -> Vec<TreeNode> {
        self.nodes
    }
}

impl Registry {
    /// Snapshots of the live operations that run directly in the one with this id, in the order of their start.
    pub fn children(&self, id: &str) -> Vec<OperationContext> {
        self.list(&Filter::new().parent(id))
    }

    /// The operation with this id with all the live ones that run in it, at any depth; `None` where nothing is known by this
    /// id. All that is live is looked at once.
    pub fn tree(&self, id: &str) -> Option<OperationTree> {
        let root = self.get(id)?;
        let mut children: HashMap<String, Vec<Arc<dyn LiveOperation>>> = HashMap::new();
        for (_, operation) in scan::live(&self.shared, None) {
            if operation.id() == id {
                continue;
            }
            if let Some(parent_id) = operation.parent_id() {
                let parent_id = parent_id.to_owned();
                children.entry(parent_id).or_default().push(operation);
            }
        }
        let mut nodes = Vec::new();
        let mut next: Vec<(usize, OperationContext)> = vec![(0, root)];
        while let Some((depth, operation)) = next.pop() {
            // Taken out, so that a circle of parents comes to an end; the root is in none.
            let inside = children.remove(&operation.id).unwrap_or_default();
            let inside = inside.into_iter().rev();
            next.extend(inside.map(|child| (depth + 1, child.context())));
            nodes.push(TreeNode { depth, operation });
        }
        Some(OperationTree { nodes })
    }

    /// Snapshots of the live operations that have gone on for at least `longer_than` after they were asked to stop, in the
    /// order of their start: cancelled, and still running.
    pub fn stuck(&self, longer_than: Duration) -> Vec<OperationContext> {
        self.list(&Filter::new().asked_for(longer_than))
    }
}
