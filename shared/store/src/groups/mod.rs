//! Groups in the directory: the group's record, the rows of its members, and lists.

mod lists;
mod members;
mod record;

pub use lists::{GroupsPage, group, groups_of, members_of};
pub use members::{membership, membership_row, membership_rows, shard, write_member, write_rows};
pub use record::{agree_on_seq, begin_change, end_change, record};
