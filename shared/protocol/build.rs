//! Compiles proto/wigwag.proto with protox, without protoc, and gives the types their JSON form.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/wigwag.proto");
    let files = protox::compile(["proto/wigwag.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    for message in [
        "HeartbeatMsg",
        "UpMsg",
        "PushMsg",
        "SyncInputMsg",
        "SyncOutputMsg",
        "PullInputMsg",
        "PullOutputMsg",
        "AckMsg",
        "KickMsg",
        "RoomMsg",
        "GroupChange",
    ] {
        config.type_attribute(
            message,
            "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default)]",
        );
    }
    for (field, codec) in [
        ("PullInputMsg.session_type", "crate::json::session_type"),
        ("AckMsg.type", "crate::json::ack_type"),
        ("KickMsg.reason", "crate::json::kick_reason"),
        ("GroupChange.type", "crate::json::group_change_type"),
        ("GroupChange.role", "crate::json::group_role"),
    ] {
        config.field_attribute(field, format!("#[serde(with = \"{codec}\")]"));
    }
    config.skip_debug([
        "Message",
        "LoginMsg",
        "SignalMsg",
        "GroupChange",
        "Input",
        "Output",
        "OutputBatch",
    ]);
    config.compile_fds(files)?;
    Ok(())
}
