use base64::{engine::general_purpose::STANDARD, Engine};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::io::Read;

/// Whether the message is genuine. `body` is what came, byte for byte.
fn verify(body: &[u8], id: &str, timestamp: &str, signatures: &str, secret: &str, now: i64) -> bool {
    let fresh = timestamp.parse::<i64>().is_ok_and(|sent| (now - sent).abs() <= 300);
    let Ok(key) = STANDARD.decode(secret.trim_start_matches("whsec_")) else { return false };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    fresh && signatures.split(' ').filter_map(|text| text.strip_prefix("v1,")).any(|given| {
        // verify_slice compares in constant time.
        STANDARD.decode(given).is_ok_and(|given| mac.clone().verify_slice(&given).is_ok())
    })
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, id, timestamp, signatures, secret, now] = arguments.as_slice() else { std::process::exit(2) };
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body).expect("a body on standard input");
    let genuine = verify(&body, id, timestamp, signatures, secret, now.parse().expect("a number"));
    std::process::exit(if genuine { 0 } else { 1 });
}
