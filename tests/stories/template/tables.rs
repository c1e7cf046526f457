//! The tables, compared with the schema that the code uses.
use anyhow::Result;
use wigwag_cluster::stack;
use wigwag_store::schema;

#[test]
fn the_tables_have_the_keys_that_the_schema_names() -> Result<()> {
    let keys = |logical_id: &str| -> Result<Vec<String>> {
        let stack = stack()?;
        let table = stack
            .tables
            .iter()
            .find(|table| table.logical_id == logical_id)
            .expect("a table");
        let keys = table.create["KeySchema"].as_array().expect("a key schema");
        Ok(keys
            .iter()
            .map(|key| key["AttributeName"].as_str().unwrap_or_default().to_owned())
            .collect())
    };
    assert_eq!(
        keys("TimelinesTable")?,
        [schema::timelines::TIMELINE, schema::timelines::SEQ]
    );
    assert_eq!(keys("DirectoryTable")?, [schema::directory::PK, schema::directory::SK]);
    let stack = stack()?;
    let ttl = |logical_id: &str| {
        stack
            .tables
            .iter()
            .find(|table| table.logical_id == logical_id)
            .and_then(|table| table.ttl_attribute.clone())
    };
    assert_eq!(ttl("DirectoryTable").as_deref(), Some(schema::directory::TTL));
    assert_eq!(ttl("TimelinesTable"), None, "an expired entry would look like a hole");
    Ok(())
}
