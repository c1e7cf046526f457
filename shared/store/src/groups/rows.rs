//! The rows of a group's members: one under the user, which says what the user is in the group, and one for each range of
//! membership under its shard, which says who is to get a message.
//!
//! Each carries the version of the change that wrote it, and only a later change may replace it: a writer that was held up for
//! long changes nothing. The user's row is put first, and the other says what stands there: so the two agree, whoever puts them.
//!
//! A user's place is given once. Its row keeps the ranges that have ended beside the one that lasts, so that who comes back is found in
//! the shard that they were in, by tasks of before and after.

use super::change::Change;
use super::membership::{Membership, ShardMember, Stint, stints_from_bytes, stints_to_bytes};
use crate::Store;
use crate::directory::{key, user_key};
use crate::error::StoreError;
use crate::fanout::SHARD_MEMBERS;
use crate::ids::{GroupId, UserId};
use crate::item::{Item, bytes, corrupt, get_bytes, get_number, get_string, number, string};
use crate::schema::{directory as attr, id_key};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;
use wigwag_protocol::http::Role;

/// Rows of one change that are written at once: enough that a hundred users take a dozen round trips, and no more
/// connections than a small function can open quickly.
const WRITES_AT_ONCE: usize = 16;

/// How long the row of a range stays after its end. A task lives for 14 days in the queue and as long again in the dead-letter
/// queue, and is to find whoever was entitled to it.
const KEEP_ENDED: Duration = Duration::from_hours(40 * 24);

/// A user's row, with the version of the change that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) membership: Membership,
    pub(super) version: u64,
}

/// Rows of users, by user.
pub(super) type Rows = HashMap<UserId, Row>;

/// A user's row as it stands in the table.
#[derive(Serialize, Deserialize)]
struct Stored {
    role: Role,
    muted_until_ms: i64,
    stints: Vec<Stint>,
    place: u64,
    version: u64,
}

impl Row {
    pub(super) fn from_item(item: Item) -> Result<Self, StoreError> {
        let group = get_string(&item, attr::SK).and_then(|sk| sk.strip_prefix(attr::GROUP)?.parse().ok());
        let group = group.ok_or_else(|| corrupt("directory", "a membership without a group"))?;
        let stored: Stored = serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()))?;
        Ok(Self {
            membership: Membership {
                group,
                role: stored.role,
                muted_until_ms: stored.muted_until_ms,
                stints: stored.stints,
                place: stored.place,
            },
            version: stored.version,
        })
    }
}

impl Store {
    /// Users' rows, strongly consistent. One read unit for each user, one request for each hundred.
    pub(super) async fn membership_rows(&self, group: GroupId, users: &[UserId]) -> Result<Rows, StoreError> {
        let keys = users.iter().map(|user| membership_key(group, *user)).collect();
        let mut rows = HashMap::with_capacity(users.len());
        for item in self.items(&self.directory, keys, true).await? {
            let user = get_string(&item, attr::PK).and_then(|pk| pk.strip_prefix(attr::USER)?.parse().ok());
            let user = user.ok_or_else(|| corrupt("directory", "a membership without a user"))?;
            rows.insert(user, Row::from_item(item)?);
        }
        Ok(rows)
    }

    /// A user's row, strongly consistent. One read unit.
    pub(super) async fn membership_row(&self, group: GroupId, user: UserId) -> Result<Option<Row>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.directory)
            .set_key(Some(membership_key(group, user)))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::call("GetItem (membership)"))?;
        output.item.map(Row::from_item).transpose()
    }

    /// Writes the rows of a change's users: two write units and two requests each, several users at once. `seq`: see
    /// [`Change::row`].
    pub(super) async fn write_rows(
        &self,
        group: GroupId,
        change: &Change,
        version: u64,
        before: &Rows,
        seq: u64,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut writes = Vec::new();
        for (index, user) in change.users().into_iter().enumerate() {
            let known = before.get(&user);
            let after = match known {
                // A later change has begun, so this one is finished.
                Some(row) if row.version > version => continue,
                Some(row) if row.version == version => row.membership.clone(),
                known => change
                    .row(group, index, user, known, seq)
                    .ok_or_else(|| corrupt("directory", "a change of a user who is not in the group"))?,
            };
            writes.push(self.write_member(user, after, version, known, now_ms));
        }
        stream::iter(writes)
            .buffer_unordered(WRITES_AT_ONCE)
            .try_collect()
            .await
    }

    /// Writes a user's two rows, one after the other. `known`: their row as it was read.
    pub(super) async fn write_member(
        &self,
        user: UserId,
        after: Membership,
        version: u64,
        known: Option<&Row>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let stands = match known {
            Some(row) if row.version == version => Some(after),
            known => self.put_membership(user, after, version, known).await?,
        };
        match stands {
            Some(stands) => self.put_shard_member(user, &stands, version, now_ms).await,
            None => Ok(()),
        }
    }

    /// Puts a user's row. Answers with the one of this version that stands then: another writer of the change may have been faster,
    /// and what it said holds. `None`: a later change has begun.
    async fn put_membership(
        &self,
        user: UserId,
        after: Membership,
        version: u64,
        known: Option<&Row>,
    ) -> Result<Option<Membership>, StoreError> {
        let stored = Stored {
            role: after.role,
            muted_until_ms: after.muted_until_ms,
            stints: after.stints.clone(),
            place: after.place,
            version,
        };
        let mut item: Item = serde_dynamo::to_item(stored).map_err(|error| corrupt("directory", error.to_string()))?;
        item.extend(membership_key(after.group, user));
        let call = self
            .db
            .put_item()
            .table_name(&self.directory)
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
                let there = failed.item().cloned().map(Row::from_item).transpose()?;
                match there {
                    Some(row) if row.version == version => Ok(Some(row.membership)),
                    Some(row) if row.version > version => Ok(None),
                    _ => Err(corrupt("directory", "a membership is not what a change found")),
                }
            }
            _ => Err(StoreError::call("PutItem (membership)")(error)),
        }
    }

    /// Puts the row of a user's place, unless it, or a later one, stands already.
    async fn put_shard_member(
        &self,
        user: UserId,
        membership: &Membership,
        version: u64,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let call = self
            .db
            .put_item()
            .table_name(&self.directory)
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

    /// A query's page of a shard's rows from a place on; and whether it was cut. A row that cannot be read is said in the log
    /// and left out, so that it costs nobody but its member. One read unit per 4 KB.
    pub(super) async fn shard_page(
        &self,
        group: GroupId,
        shard: u64,
        start: Option<Item>,
        from_place: u64,
        limit: Option<i32>,
    ) -> Result<(Vec<ShardMember>, Option<Item>), StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.directory)
            .key_condition_expression("#pk = :pk AND #sk >= :from")
            .expression_attribute_names("#pk", attr::PK)
            .expression_attribute_names("#sk", attr::SK)
            .expression_attribute_values(":pk", string(shard_key(group, shard)))
            .expression_attribute_values(":from", string(id_key(from_place)))
            .consistent_read(true)
            .set_limit(limit)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(StoreError::call("Query (shard)"))?;
        let readable = |item: &Item| {
            let member = shard_member(item).inspect_err(|error| {
                let (shard, place) = (get_string(item, attr::PK), get_string(item, attr::SK));
                tracing::error!(shard, place, %error, "a member gets nothing until their row is mended");
            });
            member.ok()
        };
        let members = output.items().iter().filter_map(readable).flatten().collect();
        Ok((members, output.last_evaluated_key))
    }
}

pub(super) fn membership_key(group: GroupId, user: UserId) -> Item {
    user_key(user, format!("{}{}", attr::GROUP, id_key(group)))
}

fn shard_key(group: GroupId, shard: u64) -> String {
    format!("{}{group}#{shard}", attr::GROUP)
}

fn shard_item(user: UserId, membership: &Membership, version: u64, now_ms: i64) -> Item {
    let (group, place) = (membership.group, membership.place);
    let mut item = key(shard_key(group, place / SHARD_MEMBERS), id_key(place));
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    set(attr::ROW_USER, number(user));
    set(attr::ROW_VERSION, number(version));
    if let Some((stint, earlier)) = membership.stints.split_last() {
        set(attr::ROW_JOINED_AFTER, number(stint.joined_after));
        if let Some(left) = stint.left {
            let keep_s = i64::try_from(KEEP_ENDED.as_secs()).unwrap_or(i64::MAX);
            set(attr::ROW_LEFT, number(left));
            set(attr::TTL, number((now_ms / 1000).saturating_add(keep_s)));
        }
        if !earlier.is_empty() {
            set(attr::ROW_EARLIER, bytes(stints_to_bytes(earlier)));
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

/// The ranges of a row, ascending.
fn shard_member(item: &Item) -> Result<Vec<ShardMember>, StoreError> {
    let read = || {
        let mut stints = match get_bytes(item, attr::ROW_EARLIER) {
            Some(earlier) => stints_from_bytes(earlier)?,
            None => Vec::new(),
        };
        stints.push(Stint {
            joined_after: get_number(item, attr::ROW_JOINED_AFTER)?,
            left: get_number(item, attr::ROW_LEFT),
        });
        let member = ShardMember {
            user: get_number(item, attr::ROW_USER)?,
            place: get_string(item, attr::SK)?.parse().ok()?,
            stint: *stints.last()?,
            role: role(get_number(item, attr::ROW_ROLE).unwrap_or(0)),
            muted_until_ms: get_number(item, attr::ROW_MUTED_UNTIL).unwrap_or(0),
        };
        let of = |stint| ShardMember {
            stint,
            ..member.clone()
        };
        Some(stints.into_iter().map(of).collect())
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
    use super::super::change::STINTS;
    use super::*;
    use crate::item::size;

    fn stint(joined_after: u64, left: Option<u64>) -> Stint {
        Stint { joined_after, left }
    }

    fn membership() -> Membership {
        let max = (1 << 53) - 1;
        Membership {
            group: max,
            role: Role::Member,
            muted_until_ms: 0,
            stints: vec![stint(1 << 33, None)],
            place: 99_999,
        }
    }

    #[test]
    fn a_shard_member_is_read_as_it_was_written() {
        let mut after = membership();
        after.role = Role::Admin;
        after.muted_until_ms = 7;
        after.stints = vec![stint(0, Some(4)), stint(4, Some(8)), stint(1 << 33, Some(1 << 34))];
        let item = shard_item(5, &after, 2, 1_800_000_000_000);
        let of = |stint| ShardMember {
            user: 5,
            place: 99_999,
            stint,
            role: Role::Admin,
            muted_until_ms: 7,
        };
        let expected: Vec<ShardMember> = after.stints.iter().copied().map(of).collect();
        assert_eq!(shard_member(&item).unwrap(), expected);
        assert_eq!(get_number(&item, attr::TTL), Some(1_800_000_000 + 40 * 86_400));
    }

    /// Five hundred of them are read for each batch of messages.
    #[test]
    fn forty_active_members_of_a_shard_fit_a_read_unit() {
        let item = shard_item((1 << 53) - 1, &membership(), 1 << 20, 0);
        assert!(size(&item) * 40 <= 4096, "{} bytes", size(&item));
    }

    #[test]
    fn a_membership_with_all_its_ranges_is_read_for_one_unit() {
        let ranges = (0..STINTS as u64).map(|n| stint((1 << 33) + n * 9, Some((1 << 33) + n * 9 + 5)));
        let stored = Stored {
            role: Role::Member,
            muted_until_ms: 1_800_000_000_000,
            stints: ranges.collect(),
            place: 99_999,
            version: 1 << 33,
        };
        let mut item: Item = serde_dynamo::to_item(stored).unwrap();
        item.extend(membership_key((1 << 53) - 1, (1 << 53) - 1));
        assert!(size(&item) <= 4096, "{} bytes", size(&item));
    }
}
