//! What does one task on smol's global executor add to an empty program?

fn main() {
    smol::block_on(smol::spawn(async {}));
}
