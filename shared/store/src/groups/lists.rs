//! Groups and members, as people look at them.

use super::Group;
use super::info::{Info, info_from_item, info_key, shards};
use super::membership::{Membership, ShardMember};
use super::rows::Row;
use crate::Store;
use crate::error::StoreError;
use crate::fanout::SHARD_MEMBERS;
use crate::head::Head;
use crate::ids::{GroupId, TimelineId, UserId};
use crate::item::{Item, get_string, string};
use crate::schema::{directory as attr, id_key, timelines};
use crate::timeline;
use std::collections::HashMap;

/// Groups that a user is in, each with the user's membership; and where to go on.
pub type GroupsPage = (Vec<(Group, Membership)>, Option<GroupId>);

/// Groups on a page of a user's: two items are fetched for each, and a hundred are one request.
const GROUPS_PER_PAGE: i32 = 50;

/// Rows on a page of a group's members.
const MEMBERS_PER_PAGE: i32 = 200;

impl Group {
    fn new(id: GroupId, info: Info, head: &Head) -> Option<Self> {
        Some(Self {
            id,
            name: info.name,
            owner: info.owner,
            members: info.members,
            created_at_ms: info.created_at_ms,
            settings: head.group?,
            max_seq: head.seq,
            unfinished_since_ms: info.change.map(|change| change.at_ms),
        })
    }
}

impl Store {
    /// A group; `None` where there is none. Two read units, two requests at once.
    #[tracing::instrument(name = "store.group.get", skip_all, fields(group.id = group))]
    pub async fn group(&self, group: GroupId) -> Result<Option<Group>, StoreError> {
        let log = TimelineId::group(group);
        let (info, head) = tokio::join!(self.group_info(group), self.head(&log, true));
        let (Some(info), Some(head)) = (info?, head?) else {
            return Ok(None);
        };
        Ok(Group::new(group, info, &head))
    }

    /// A page of the groups that a user is in, after an id, each with the user's membership; and where to go on. One request for
    /// the rows, two at once for the groups; two read units for each, and one for each 4 KB of rows.
    #[tracing::instrument(name = "store.group.list", skip_all, fields(user.id = user))]
    pub async fn groups_of(&self, user: UserId, after: GroupId) -> Result<GroupsPage, StoreError> {
        let of = |id: &str| string(format!("{}{id}", attr::GROUP));
        let output = self
            .db
            .query()
            .table_name(&self.directory)
            .key_condition_expression("#pk = :user AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", attr::PK)
            .expression_attribute_names("#sk", attr::SK)
            .expression_attribute_values(":user", string(format!("{}{user}", attr::USER)))
            .expression_attribute_values(":first", of(&id_key(after.saturating_add(1))))
            .expression_attribute_values(":last", of(&"9".repeat(16)))
            .consistent_read(true)
            .limit(GROUPS_PER_PAGE)
            .send()
            .await
            .map_err(StoreError::call("Query (groups)"))?;
        let is_cut = output.last_evaluated_key.is_some();
        let rows = output.items.unwrap_or_default().into_iter().map(Row::from_item);
        let memberships: Vec<Membership> = rows
            .map(|row| row.map(|row| row.membership))
            .collect::<Result<_, _>>()?;
        let next = memberships.last().filter(|_| is_cut).map(|last| last.group);
        let active: Vec<Membership> = memberships.into_iter().filter(Membership::is_active).collect();
        let mut groups = self.groups(active.iter().map(|membership| membership.group)).await?;
        let page = active.into_iter().filter_map(|membership| {
            let group = groups.remove(&membership.group)?;
            Some((group, membership))
        });
        Ok((page.collect(), next))
    }

    async fn groups(&self, ids: impl Iterator<Item = GroupId> + Clone) -> Result<HashMap<GroupId, Group>, StoreError> {
        let infos = ids.clone().map(info_key).collect();
        let logs = ids
            .clone()
            .map(|id| timeline::key(&TimelineId::group(id), timelines::HEAD));
        let (infos, heads) = tokio::join!(
            self.items(&self.directory, infos, true),
            self.items(&self.timelines, logs.collect(), true)
        );
        let by = |items: Vec<Item>, name: &str| -> HashMap<String, Item> {
            let named = items
                .into_iter()
                .filter_map(|item| Some((get_string(&item, name)?.to_owned(), item)));
            named.collect()
        };
        let (mut infos, heads) = (by(infos?, attr::PK), by(heads?, timelines::TIMELINE));
        let mut groups = HashMap::new();
        for id in ids {
            let info = infos.remove(&format!("{}{id}", attr::GROUP));
            let (Some(info), Some(head)) = (info, heads.get(TimelineId::group(id).as_str())) else {
                continue;
            };
            // One that cannot be read hides no other.
            let group = info_from_item(info).and_then(|info| Ok(Group::new(id, info, &Head::from_item(head)?)));
            match group {
                Ok(Some(group)) => drop(groups.insert(id, group)),
                Ok(None) => {}
                Err(error) => tracing::error!(group.id = id, %error, "a group is left out of a list"),
            }
        }
        Ok(groups)
    }

    /// A page of a group's members, in the order in which they joined, from a place on (0: the first); and where to go on. A
    /// page may be short, or empty, where many have left. Two requests at once; a read unit, and one for each forty members.
    #[tracing::instrument(name = "store.group.members", skip_all, fields(group.id = group))]
    pub async fn members_of(&self, group: GroupId, from: u64) -> Result<(Vec<ShardMember>, Option<u64>), StoreError> {
        let shard = from / SHARD_MEMBERS;
        let (info, page) = tokio::join!(
            self.group_info(group),
            self.shard_page(group, shard, None, from, Some(MEMBERS_PER_PAGE))
        );
        let (rows, cut) = page?;
        let last_shard = info?.map_or(0, |info| shards(info.places) - 1);
        let next = match rows.last() {
            Some(last) if cut.is_some() => Some(last.place + 1),
            _ => (shard < last_shard).then_some((shard + 1) * SHARD_MEMBERS),
        };
        let members = rows.into_iter().filter(|row| row.stint.left.is_none()).collect();
        Ok((members, next))
    }
}
