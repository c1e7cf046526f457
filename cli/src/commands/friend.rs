//! `wigwag friend`: adding, removing, listing.

use crate::Context;
use crate::args::Who;
use crate::exit::Failure;
use crate::peer::{Names, resolve};
use serde_json::json;

pub(crate) async fn add(context: &mut Context, args: Who) -> Result<(), Failure> {
    let user_id = resolve(&context.profiles, &args.who)?;
    let api = super::api(context).await?;
    api.friend_add(user_id).await?;
    let line = format!("{} is now a friend", args.who);
    context
        .printer
        .print("friend_added", &json!({ "user_id": user_id }), &line)
}

pub(crate) async fn remove(context: &mut Context, args: Who) -> Result<(), Failure> {
    let user_id = resolve(&context.profiles, &args.who)?;
    let api = super::api(context).await?;
    api.friend_remove(user_id).await?;
    let line = format!("{} is no longer a friend", args.who);
    context
        .printer
        .print("friend_removed", &json!({ "user_id": user_id }), &line)
}

pub(crate) async fn list(context: &mut Context) -> Result<(), Failure> {
    let api = super::api(context).await?;
    let mut names = Names::new(api.clone());
    let mut after = Some(0);
    while let Some(from) = after {
        let page = api.friend_list(from).await?;
        for user_id in page.friend_ids {
            let name = names.of(user_id).await;
            let data = json!({ "user_id": user_id, "name": name });
            context.printer.print("friend", &data, &name)?;
        }
        after = page.next;
    }
    Ok(())
}
