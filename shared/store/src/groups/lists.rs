//! Lists of groups and members, for users to look at.

use super::members::{row_from_item, shard_page};
use super::record::{record, record_from_item};
use crate::error::StoreError;
use crate::item::get_string;
use crate::read_many::read_many;
use crate::schema::directory::{self as attr, group_of, record_key};
use crate::schema::timelines::{self as timelines_attr, key as timeline_key};
use crate::user_rows::user_rows;
use crate::{Store, group_logs};
use std::collections::HashMap;
use wigwag_domain::groups::Group;
use wigwag_domain::groups::membership::{Membership, ShardMember};
use wigwag_domain::groups::record::{GroupRecord, shards};
use wigwag_domain::head::GroupLogHead;
use wigwag_domain::task::SHARD_MEMBERS;
use wigwag_domain::{GroupId, TimelineId, UserId};

/// Groups of a user, each with their membership; and where to read on.
pub type GroupsPage = (Vec<(Group, Membership)>, Option<GroupId>);

/// The most groups on a page: two items are fetched for each, and a hundred items are one request.
const GROUPS_PER_PAGE: i32 = 50;

/// The most rows on a page of members.
const MEMBERS_PER_PAGE: i32 = 200;

/// A group; `None` if there is none. Two read units, two requests at once.
#[tracing::instrument(name = "store.group.get", skip_all, fields(group.id = group.0))]
pub async fn group(store: &Store, group: GroupId) -> Result<Option<Group>, StoreError> {
    let (record, head) = tokio::join!(record(store, group), group_logs::head(store, group));
    let (Some(record), Some(head)) = (record?, head?) else {
        return Ok(None);
    };
    Ok(seen_group(group, record, &head))
}

/// A page of the groups of a user, after an id, each with their membership; and where to read on.
/// One request for the rows, two at once for the groups; two read units for each group, and one for
/// each 4 KB of rows.
#[tracing::instrument(name = "store.group.list", skip_all, fields(user.id = user.0))]
pub async fn groups_of(store: &Store, user: UserId, after: GroupId) -> Result<GroupsPage, StoreError> {
    let output = user_rows(store, user, attr::GROUP, after.0, GROUPS_PER_PAGE, "Query (groups)").await?;
    let is_cut = output.last_evaluated_key.is_some();
    let rows = output.items.unwrap_or_default().into_iter().map(row_from_item);
    let memberships: Vec<Membership> = rows
        .map(|row| row.map(|row| row.membership))
        .collect::<Result<_, _>>()?;
    let next = memberships.last().filter(|_| is_cut).map(|last| last.group);
    let active: Vec<Membership> = memberships.into_iter().filter(Membership::is_active).collect();
    let mut groups = groups(store, active.iter().map(|membership| membership.group)).await?;
    let page = active.into_iter().filter_map(|membership| {
        let group = groups.remove(&membership.group)?;
        Some((group, membership))
    });
    Ok((page.collect(), next))
}

async fn groups(
    store: &Store,
    ids: impl Iterator<Item = GroupId> + Clone,
) -> Result<HashMap<GroupId, Group>, StoreError> {
    let records = ids.clone().map(record_key).collect();
    let logs = ids
        .clone()
        .map(|id| timeline_key(&TimelineId::group(id), timelines_attr::HEAD));
    let (records, heads) = tokio::join!(
        read_many(store, &store.directory, records, true),
        read_many(store, &store.timelines, logs.collect(), true)
    );
    let heads: HashMap<TimelineId, GroupLogHead> = heads?
        .iter()
        .filter_map(|item| {
            let log = get_string(item, timelines_attr::TIMELINE).and_then(timelines_attr::timeline)?;
            Some((log, group_logs::from_item(item)))
        })
        .collect();
    let mut groups = HashMap::new();
    for item in records? {
        let Some(id) = group_of(&item) else { continue };
        let Some(head) = heads.get(&TimelineId::group(id)) else {
            continue;
        };
        // A group that cannot be read hides no other.
        match record_from_item(item).map(|record| seen_group(id, record, head)) {
            Ok(Some(group)) => drop(groups.insert(id, group)),
            Ok(None) => {}
            Err(error) => tracing::error!(group.id = id.0, %error, "a group is left out of a list"),
        }
    }
    Ok(groups)
}

/// A group, if its log has settings: until then it is being made.
fn seen_group(id: GroupId, record: GroupRecord, head: &GroupLogHead) -> Option<Group> {
    Some(Group {
        id,
        name: record.name,
        owner: record.owner,
        members: record.members,
        created_at_ms: record.created_at_ms,
        settings: head.settings?,
        max_seq: head.seq,
        unfinished_since_ms: record.change.map(|change| change.at_ms),
    })
}

/// A page of a group's members, in the order in which they first joined, from a slot on (0: the
/// first); and where to read on. A page may be short or empty if many have left. Two requests at
/// once; one read unit, and one for each forty members.
#[tracing::instrument(name = "store.group.members", skip_all, fields(group.id = group.0))]
pub async fn members_of(
    store: &Store,
    group: GroupId,
    from: u64,
) -> Result<(Vec<ShardMember>, Option<u64>), StoreError> {
    let shard = from / SHARD_MEMBERS;
    let (record, page) = tokio::join!(
        record(store, group),
        shard_page(store, group, shard, None, from, Some(MEMBERS_PER_PAGE))
    );
    let (rows, cut) = page?;
    let last_shard = record?.map_or(0, |record| shards(record.slots) - 1);
    let next = match rows.last() {
        Some(last) if cut.is_some() => Some(last.slot + 1),
        _ => (shard < last_shard).then_some((shard + 1) * SHARD_MEMBERS),
    };
    let members = rows.into_iter().filter(|row| row.interval.left.is_none()).collect();
    Ok((members, next))
}
