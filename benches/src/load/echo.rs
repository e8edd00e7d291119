//! When is an echo complete? After as many bytes as were sent.

use super::connections::Protocol;

/// Length of a message.
const MESSAGE: usize = 64;

/// The echo of a message: how much of it has come.
#[derive(Debug, Default)]
pub(super) struct Echo(usize);

impl Protocol for Echo {
    const REQUEST: &'static [u8] = &[7; MESSAGE];

    fn take(&mut self, piece: &[u8]) -> Result<bool, String> {
        self.0 += piece.len();
        match self.0 {
            ..MESSAGE => Ok(false),
            MESSAGE => {
                self.0 = 0;
                Ok(true)
            }
            more => Err(format!("the echo of {MESSAGE} bytes has {more}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_complete_with_its_last_byte_and_the_next_one_begins() {
        let mut echo = Echo::default();
        for _ in 0..2 {
            assert_eq!(echo.take(&[7; 60]), Ok(false));
            assert_eq!(echo.take(&[7; 4]), Ok(true));
        }
    }

    #[test]
    fn more_than_was_sent_is_an_error() {
        assert_eq!(Echo::default().take(&[7; 65]), Err("the echo of 64 bytes has 65".to_owned()));
    }
}
