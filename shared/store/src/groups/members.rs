//! The rows of a group's members: one under the user, with their membership, and one under their
//! shard, which a worker reads to deliver a message.
//!
//! Each has the version of the change that wrote it, and only a later change may replace it, so a
//! writer that was held up changes nothing. The user's row is put first, and the shard's row is
//! made from the one that holds then: so the two agree, whichever attempt puts them.
//!
//! A user keeps their slot for ever. Its row has the intervals that ended as well, so that tasks
//! from before and after find a user who came back.

use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, bytes, corrupt, get_bytes, get_number, get_string, number, string};
use crate::read_many::read_many;
use crate::schema::directory::{
    self as attr, id_key, membership_key, membership_of, shard_partition, slot_key, user_of,
};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;
use wigwag_domain::groups::change::Change;
use wigwag_domain::groups::membership::{
    MemberRow, MemberRows, Membership, MembershipInterval, ShardMember, intervals_from_bytes, intervals_to_bytes,
};
use wigwag_domain::task::SHARD_MEMBERS;
use wigwag_domain::{GroupId, UserId};
use wigwag_protocol::http::Role;

/// Rows that are written at once: enough that a hundred users take a dozen round trips, and no more
/// connections than a small function can open quickly.
const WRITES_AT_ONCE: usize = 16;

/// How long a row is kept after its last interval ended. A task lives for 14 days in the queue and
/// as long in the dead-letter queue, and must find every member that it is for.
const KEEP_ENDED: Duration = Duration::from_hours(40 * 24);

/// A user's row as the table has it.
#[derive(Serialize, Deserialize)]
struct Stored {
    role: Role,
    muted_until_ms: i64,
    #[serde(rename = "stints")]
    intervals: Vec<MembershipInterval>,
    #[serde(rename = "place")]
    slot: u64,
    version: u64,
}

/// The membership of a user, strongly consistent. `None`: was never a member. One read unit.
#[tracing::instrument(name = "store.group.membership", skip_all, fields(group.id = group.0, user.id = user.0))]
pub async fn membership(store: &Store, group: GroupId, user: UserId) -> Result<Option<Membership>, StoreError> {
    let row = membership_row(store, group, user).await?;
    Ok(row.map(|row| row.membership))
}

/// All membership intervals in a shard, strongly consistent, with those that ended. One read unit
/// for each forty of them, one request for each megabyte.
#[tracing::instrument(name = "store.group.shard", skip_all, fields(group.id = group.0, shard))]
pub async fn shard(store: &Store, group: GroupId, shard: u32) -> Result<Vec<ShardMember>, StoreError> {
    let (mut members, mut start) = (Vec::new(), None);
    loop {
        let (page, next) = shard_page(store, group, shard.into(), start, 0, None).await?;
        members.extend(page);
        start = next;
        if start.is_none() {
            return Ok(members);
        }
    }
}

/// Users' rows, strongly consistent. One read unit for each user, one request for each hundred.
pub async fn membership_rows(store: &Store, group: GroupId, users: &[UserId]) -> Result<MemberRows, StoreError> {
    let keys = users.iter().map(|user| membership_key(group, *user)).collect();
    let mut rows = HashMap::with_capacity(users.len());
    for item in read_many(store, &store.directory, keys, true).await? {
        let user = user_of(&item);
        let user = user.ok_or_else(|| corrupt("directory", "a membership without a user"))?;
        rows.insert(user, row_from_item(item)?);
    }
    Ok(rows)
}

/// A user's row, strongly consistent. One read unit.
pub async fn membership_row(store: &Store, group: GroupId, user: UserId) -> Result<Option<MemberRow>, StoreError> {
    let output = store
        .db
        .get_item()
        .table_name(&store.directory)
        .set_key(Some(membership_key(group, user)))
        .consistent_read(true)
        .send()
        .await
        .map_err(StoreError::call("GetItem (membership)"))?;
    output.item.map(row_from_item).transpose()
}

/// Writes the rows of a change's users: two write units and two requests each, several users at
/// once. `seq`: see [`Change::row`].
pub async fn write_rows(
    store: &Store,
    group: GroupId,
    change: &Change,
    version: u64,
    before: &MemberRows,
    seq: u64,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut writes = Vec::new();
    for (index, user) in change.users().into_iter().enumerate() {
        let known = before.get(&user);
        let after = match known {
            // A later change began, so this one is finished.
            Some(row) if row.version > version => continue,
            Some(row) if row.version == version => row.membership.clone(),
            known => change
                .row(group, index, user, known, seq)
                .ok_or_else(|| corrupt("directory", "a change of a user who is not in the group"))?,
        };
        writes.push(write_member(store, user, after, version, known, now_ms));
    }
    stream::iter(writes)
        .buffer_unordered(WRITES_AT_ONCE)
        .try_collect()
        .await
}

/// Writes a user's two rows, one after the other. `known`: their row as it was read.
pub async fn write_member(
    store: &Store,
    user: UserId,
    after: Membership,
    version: u64,
    known: Option<&MemberRow>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let current = match known {
        Some(row) if row.version == version => Some(after),
        known => put_membership(store, user, after, version, known).await?,
    };
    match current {
        Some(current) => put_shard_member(store, user, &current, version, now_ms).await,
        None => Ok(()),
    }
}

/// Puts a user's row. Answers with the membership of this version that holds then: another attempt
/// at the change may have been faster. `None`: a later change began.
async fn put_membership(
    store: &Store,
    user: UserId,
    after: Membership,
    version: u64,
    known: Option<&MemberRow>,
) -> Result<Option<Membership>, StoreError> {
    let stored = Stored {
        role: after.role,
        muted_until_ms: after.muted_until_ms,
        intervals: after.intervals.clone(),
        slot: after.slot,
        version,
    };
    let mut item: Item = serde_dynamo::to_item(stored).map_err(|error| corrupt("directory", error.to_string()))?;
    item.extend(membership_key(after.group, user));
    let call = store
        .db
        .put_item()
        .table_name(&store.directory)
        .set_item(Some(item))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let call = match known {
        None => call
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", attr::PK),
        Some(row) => call
            .condition_expression("#version = :known")
            .expression_attribute_names("#version", attr::VERSION)
            .expression_attribute_values(":known", number(row.version)),
    };
    let Err(error) = call.send().await else {
        return Ok(Some(after));
    };
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(failed)) => {
            let there = failed.item().cloned().map(row_from_item).transpose()?;
            match there {
                Some(row) if row.version == version => Ok(Some(row.membership)),
                Some(row) if row.version > version => Ok(None),
                _ => Err(corrupt("directory", "a membership is not what a change found")),
            }
        }
        _ => Err(StoreError::call("PutItem (membership)")(error)),
    }
}

/// Puts the row of a user's slot, unless it, or a later one, is there already.
async fn put_shard_member(
    store: &Store,
    user: UserId,
    membership: &Membership,
    version: u64,
    now_ms: i64,
) -> Result<(), StoreError> {
    let call = store
        .db
        .put_item()
        .table_name(&store.directory)
        .set_item(Some(shard_item(user, membership, version, now_ms)))
        .condition_expression("attribute_not_exists(#pk) OR #version < :version")
        .expression_attribute_names("#pk", attr::PK)
        .expression_attribute_names("#version", attr::ROW_VERSION)
        .expression_attribute_values(":version", number(version));
    match call.send().await {
        Err(error)
            if !error
                .as_service_error()
                .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
        {
            Err(StoreError::call("PutItem (member of a shard)")(error))
        }
        _ => Ok(()),
    }
}

/// One query: rows of a shard from a slot on, and where to read on. A row that cannot be read is
/// logged and left out, so that only its member is affected. One read unit per 4 KB.
pub(crate) async fn shard_page(
    store: &Store,
    group: GroupId,
    shard: u64,
    start: Option<Item>,
    from_slot: u64,
    limit: Option<i32>,
) -> Result<(Vec<ShardMember>, Option<Item>), StoreError> {
    let output = store
        .db
        .query()
        .table_name(&store.directory)
        .key_condition_expression("#pk = :pk AND #sk >= :from")
        .expression_attribute_names("#pk", attr::PK)
        .expression_attribute_names("#sk", attr::SK)
        .expression_attribute_values(":pk", string(shard_partition(group, shard)))
        .expression_attribute_values(":from", string(id_key(from_slot)))
        .consistent_read(true)
        .set_limit(limit)
        .set_exclusive_start_key(start)
        .send()
        .await
        .map_err(StoreError::call("Query (shard)"))?;
    let readable = |item: &Item| {
        let member = shard_member(item).inspect_err(|error| {
            let (shard, slot) = (get_string(item, attr::PK), get_string(item, attr::SK));
            tracing::error!(shard, slot, %error, "a member gets nothing until their row is mended");
        });
        member.ok()
    };
    let members = output.items().iter().filter_map(readable).flatten().collect();
    Ok((members, output.last_evaluated_key))
}

pub(super) fn row_from_item(item: Item) -> Result<MemberRow, StoreError> {
    let group = membership_of(&item).ok_or_else(|| corrupt("directory", "a membership without a group"))?;
    let stored: Stored = serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()))?;
    Ok(MemberRow {
        membership: Membership {
            group,
            role: stored.role,
            muted_until_ms: stored.muted_until_ms,
            intervals: stored.intervals,
            slot: stored.slot,
        },
        version: stored.version,
    })
}

fn shard_item(user: UserId, membership: &Membership, version: u64, now_ms: i64) -> Item {
    let (group, slot) = (membership.group, membership.slot);
    let mut item = slot_key(group, slot / SHARD_MEMBERS, slot);
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    set(attr::ROW_USER, number(user));
    set(attr::ROW_VERSION, number(version));
    if let Some((interval, earlier)) = membership.intervals.split_last() {
        set(attr::ROW_JOINED_AFTER, number(interval.joined_after));
        if let Some(left) = interval.left {
            let keep_s = i64::try_from(KEEP_ENDED.as_secs()).unwrap_or(i64::MAX);
            set(attr::ROW_LEFT, number(left));
            set(attr::TTL, number((now_ms / 1000).saturating_add(keep_s)));
        }
        if !earlier.is_empty() {
            set(attr::ROW_EARLIER, bytes(intervals_to_bytes(earlier)));
        }
    }
    if membership.role != Role::Member {
        set(attr::ROW_ROLE, number(role_number(membership.role)));
    }
    if membership.muted_until_ms != 0 {
        set(attr::ROW_MUTED_UNTIL, number(membership.muted_until_ms));
    }
    item
}

/// The intervals of a row, ascending.
fn shard_member(item: &Item) -> Result<Vec<ShardMember>, StoreError> {
    let read = || {
        let mut intervals = match get_bytes(item, attr::ROW_EARLIER) {
            Some(earlier) => intervals_from_bytes(earlier)?,
            None => Vec::new(),
        };
        intervals.push(MembershipInterval {
            joined_after: get_number(item, attr::ROW_JOINED_AFTER)?,
            left: get_number(item, attr::ROW_LEFT),
        });
        let member = ShardMember {
            user: get_number(item, attr::ROW_USER)?,
            slot: get_string(item, attr::SK)?.parse().ok()?,
            interval: *intervals.last()?,
            role: role(get_number(item, attr::ROW_ROLE).unwrap_or(0)),
            muted_until_ms: get_number(item, attr::ROW_MUTED_UNTIL).unwrap_or(0),
        };
        let of = |interval| ShardMember {
            interval,
            ..member.clone()
        };
        Some(intervals.into_iter().map(of).collect())
    };
    read().ok_or_else(|| corrupt("directory", "a member's row lacks a part"))
}

fn role_number(role: Role) -> u8 {
    match role {
        Role::Member => 0,
        Role::Admin => 1,
        Role::Owner => 2,
    }
}

fn role(number: u8) -> Role {
    match number {
        2 => Role::Owner,
        1 => Role::Admin,
        _ => Role::Member,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::size;
    use wigwag_domain::groups::change::INTERVALS;

    fn interval(joined_after: u64, left: Option<u64>) -> MembershipInterval {
        MembershipInterval { joined_after, left }
    }

    fn membership() -> Membership {
        let max = (1 << 53) - 1;
        Membership {
            group: GroupId(max),
            role: Role::Member,
            muted_until_ms: 0,
            intervals: vec![interval(1 << 33, None)],
            slot: 99_999,
        }
    }

    #[test]
    fn a_shard_member_is_read_as_it_was_written() {
        let mut after = membership();
        after.role = Role::Admin;
        after.muted_until_ms = 7;
        after.intervals = vec![
            interval(0, Some(4)),
            interval(4, Some(8)),
            interval(1 << 33, Some(1 << 34)),
        ];
        let item = shard_item(UserId(5), &after, 2, 1_800_000_000_000);
        let of = |interval| ShardMember {
            user: UserId(5),
            slot: 99_999,
            interval,
            role: Role::Admin,
            muted_until_ms: 7,
        };
        let expected: Vec<ShardMember> = after.intervals.iter().copied().map(of).collect();
        assert_eq!(shard_member(&item).unwrap(), expected);
        assert_eq!(get_number(&item, attr::TTL), Some(1_800_000_000 + 40 * 86_400));
    }

    /// Five hundred of them are read for each batch of messages.
    #[test]
    fn forty_active_members_of_a_shard_fit_a_read_unit() {
        let item = shard_item(UserId((1 << 53) - 1), &membership(), 1 << 20, 0);
        assert!(size(&item) * 40 <= 4096, "{} bytes", size(&item));
    }

    #[test]
    fn a_membership_with_all_its_ranges_is_read_for_one_unit() {
        let ranges = (0..INTERVALS as u64).map(|n| interval((1 << 33) + n * 9, Some((1 << 33) + n * 9 + 5)));
        let stored = Stored {
            role: Role::Member,
            muted_until_ms: 1_800_000_000_000,
            intervals: ranges.collect(),
            slot: 99_999,
            version: 1 << 33,
        };
        let mut item: Item = serde_dynamo::to_item(stored).unwrap();
        item.extend(membership_key(GroupId((1 << 53) - 1), UserId((1 << 53) - 1)));
        assert!(size(&item) <= 4096, "{} bytes", size(&item));
    }
}
