//! What the documentation says of errors, and what a session does about them.

#[test]
fn the_documentation_prints_the_table_as_it_is() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/error/table.md");
    let table = steadfast::error_table();
    if std::env::var_os("STEADFAST_BLESS").is_some() {
        std::fs::write(&path, &table).expect("the table can be written");
    }
    let printed = std::fs::read_to_string(&path).expect("the table; STEADFAST_BLESS=1 writes it");
    assert!(printed == table, "src/error/table.md is not the table; STEADFAST_BLESS=1 writes it anew");
}
