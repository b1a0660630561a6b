//! What the command prints to the letter, where it prints the same each time.

#[test]
fn the_transcripts_are_what_the_command_prints() {
    trycmd::TestCases::new()
        .env("HOME", "/nonexistent")
        .case("tests/transcripts/*.md");
}
