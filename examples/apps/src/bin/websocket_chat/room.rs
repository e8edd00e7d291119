//! Rooms: a goroutine each, which alone knows who is there, and lives while somebody is.

use std::collections::HashMap;

use goruntime::channel::{Receiver, Sender, TrySendError, bounded};
use goruntime::go;
use goruntime::net::TcpStream;
use goruntime::sync::Mutex;

use crate::outbox::{self, Item};

/// What may wait for a room to look at it; then its members wait.
const EVENTS: usize = 16;

/// The rooms by their names.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    rooms: Mutex<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    by_name: HashMap<String, Room>,
    last_seat: u64,
}

/// A room as the lobby knows it.
#[derive(Debug)]
struct Room {
    events: Sender<Event>,
    seats: usize,
}

/// What happens in a room.
#[derive(Debug)]
enum Event {
    Enters(u64, Member),
    Says(u64, String),
    Leaves(u64),
}

/// A member as its room knows it.
#[derive(Debug)]
struct Member {
    name: String,
    outbox: Sender<Item>,
    stream: TcpStream,
}

/// A place in a room, left when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    lobby: &'a Lobby,
    room: String,
    number: u64,
    events: Sender<Event>,
}

impl Lobby {
    /// Enters a room, which is opened if there is none of the name.
    pub(crate) fn enter(&self, room: &str, name: String, outbox: Sender<Item>, stream: TcpStream) -> Seat<'_> {
        let mut rooms = self.rooms.lock().expect("nobody panics with the lock");
        rooms.last_seat += 1;
        let number = rooms.last_seat;
        let place = rooms.by_name.entry(room.to_owned()).or_insert_with(|| {
            let (events, received) = bounded(EVENTS);
            let name = room.to_owned();
            go(move || run(&name, received));
            Room { events, seats: 0 }
        });
        place.seats += 1;
        let events = place.events.clone();
        drop(rooms);
        let seat = Seat { lobby: self, room: room.to_owned(), number, events };
        seat.tell(Event::Enters(number, Member { name, outbox, stream }));
        seat
    }
}

impl Seat<'_> {
    /// Says something to all in the room.
    pub(crate) fn say(&self, text: &str) {
        self.tell(Event::Says(self.number, text.to_owned()));
    }

    fn tell(&self, event: Event) {
        self.events.send(event).expect("a room runs while somebody has a seat");
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.tell(Event::Leaves(self.number));
        let mut rooms = self.lobby.rooms.lock().expect("nobody panics with the lock");
        if let Some(room) = rooms.by_name.get_mut(&self.room) {
            room.seats -= 1;
            if room.seats == 0 {
                rooms.by_name.remove(&self.room);
            }
        }
    }
}

/// Runs a room until nobody has a seat any more.
fn run(room: &str, events: Receiver<Event>) {
    let mut members = HashMap::new();
    for event in events {
        match event {
            Event::Enters(number, member) => {
                let text = format!("* {} enters", member.name);
                members.insert(number, member);
                broadcast(room, &mut members, text);
            }
            Event::Says(number, text) => {
                // Who was cut off may have said something before.
                if let Some(text) = members.get(&number).map(|member| format!("{}: {text}", member.name)) {
                    broadcast(room, &mut members, text);
                }
            }
            Event::Leaves(number) => {
                if let Some(member) = members.remove(&number) {
                    broadcast(room, &mut members, format!("* {} leaves", member.name));
                }
            }
        }
    }
}

/// Gives a text to all, and to those who cannot take it the end.
fn broadcast(room: &str, members: &mut HashMap<u64, Member>, text: String) {
    let mut text = outbox::text(text);
    loop {
        let mut slow = Vec::new();
        members.retain(|_, member| match member.outbox.try_send(text.clone()) {
            Ok(()) => true,
            // On its way out; its seat is given back soon.
            Err(TrySendError::Disconnected(_)) => true,
            Err(TrySendError::Full(_)) => {
                println!("{room}: {} is too slow", member.name);
                _ = member.stream.close();
                slow.push(format!("* {} was too slow", member.name));
                false
            }
        });
        if slow.is_empty() {
            return;
        }
        text = outbox::text(slow.join("\n"));
    }
}
