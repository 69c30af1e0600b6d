//! The cases with rumqttc, its synchronous client.
use rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Packet, Publish, QoS, TlsConfiguration, Transport};
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PATIENCE: Duration = Duration::from_secs(15);
const MANY: usize = 100;
const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

type Outcome = Result<(), String>;

enum Happened {
    Connected,
    Subscribed,
    /// PUBACK or PUBCOMP.
    Acknowledged,
    Message(Publish),
    Lost,
}

struct Setting {
    url: String,
    certificate: Vec<u8>,
    prefix: String,
}

struct Opened {
    client: Client,
    happened: Receiver<Happened>,
    /// Messages that came while something else was awaited.
    messages: Vec<Publish>,
}

impl Setting {
    fn open(&self, name: &str, clean: bool, will: Option<&str>) -> Result<Opened, String> {
        let (scheme, rest) = self.url.split_once("://").ok_or("no URL")?;
        let place = rest.split('/').next().unwrap_or(rest);
        let (host, port) = place.split_once(':').ok_or("no port")?;
        let port: u16 = port.parse().map_err(|_| "no port")?;
        let id = format!("{}/{}", self.prefix, name);
        let address = if scheme.starts_with("ws") { self.url.as_str() } else { host };
        let mut options = MqttOptions::new(id, address, port);
        let tls = || TlsConfiguration::Simple { ca: self.certificate.clone(), alpn: None, client_auth: None };
        options.set_transport(match scheme {
            "mqtt" => Transport::Tcp,
            "mqtts" => Transport::Tls(tls()),
            "ws" => Transport::Ws,
            _ => Transport::Wss(tls()),
        });
        options.set_clean_session(clean).set_max_packet_size(10_000_000, 10_000_000);
        if let Some(topic) = will {
            options.set_last_will(LastWill::new(topic, "gone", QoS::AtLeastOnce, false));
        }
        let (client, connection) = Client::new(options, 10);
        let (sender, happened) = channel();
        std::thread::spawn(move || serve(connection, sender));
        let mut opened = Opened { client, happened, messages: Vec::new() };
        opened.wait(|one| matches!(one, Happened::Connected))?;
        Ok(opened)
    }

    fn topic(&self, name: &str) -> String {
        format!("{}/{}", self.prefix, name)
    }
}

fn serve(mut connection: Connection, sender: std::sync::mpsc::Sender<Happened>) {
    for event in connection.iter() {
        let happened = match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Happened::Connected,
            Ok(Event::Incoming(Packet::SubAck(_))) => Happened::Subscribed,
            Ok(Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))) => Happened::Acknowledged,
            Ok(Event::Incoming(Packet::Publish(publish))) => Happened::Message(publish),
            Ok(_) => continue,
            // It would connect again.
            Err(_) => {
                let _ = sender.send(Happened::Lost);
                return;
            }
        };
        if sender.send(happened).is_err() {
            return;
        }
    }
}

impl Opened {
    fn wait(&mut self, is: impl Fn(&Happened) -> bool) -> Outcome {
        loop {
            let one = self.happened.recv_timeout(PATIENCE).map_err(|error| error.to_string())?;
            if is(&one) {
                return Ok(());
            }
            match one {
                Happened::Message(message) => self.messages.push(message),
                Happened::Lost => return Err("the connection was lost".into()),
                _ => (),
            }
        }
    }

    fn subscribe(&mut self, topic: &str) -> Outcome {
        self.client.subscribe(topic, QoS::ExactlyOnce).map_err(|error| error.to_string())?;
        self.wait(|one| matches!(one, Happened::Subscribed))
    }

    fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS, retain: bool) -> Outcome {
        self.client.publish(topic, qos, retain, payload).map_err(|error| error.to_string())?;
        if qos == QoS::AtMostOnce {
            return Ok(());
        }
        self.wait(|one| matches!(one, Happened::Acknowledged))
    }

    fn expect(&mut self, payload: &[u8], retained: bool) -> Outcome {
        let message = if self.messages.is_empty() {
            match self.happened.recv_timeout(PATIENCE).map_err(|error| error.to_string())? {
                Happened::Message(message) => message,
                Happened::Lost => return Err("the connection was lost".into()),
                _ => return self.expect(payload, retained),
            }
        } else {
            self.messages.remove(0)
        };
        if message.payload == payload && message.retain == retained {
            return Ok(());
        }
        Err(format!("another message came, of {} bytes, retained {}", message.payload.len(), message.retain))
    }

    fn leave(mut self) -> Outcome {
        self.client.disconnect().map_err(|error| error.to_string())?;
        self.wait(|one| matches!(one, Happened::Lost))
    }
}

fn exchange(setting: &Setting, level: usize) -> Outcome {
    let topic = setting.topic(&format!("qos{level}"));
    let mut client = setting.open(&format!("qos{level}"), true, None)?;
    client.subscribe(&topic)?;
    for number in 0..MANY {
        client.publish(&topic, number.to_string().as_bytes(), LEVELS[level], false)?;
    }
    for number in 0..MANY {
        client.expect(number.to_string().as_bytes(), false)?;
    }
    client.leave()
}

fn retained(setting: &Setting) -> Outcome {
    let topic = setting.topic("retained");
    let mut client = setting.open("keeper", true, None)?;
    client.publish(&topic, b"kept", QoS::AtLeastOnce, true)?;
    client.subscribe(&topic)?;
    client.expect(b"kept", true)?;
    client.leave()
}

fn will(setting: &Setting) -> Outcome {
    let topic = setting.topic("will");
    let mut watcher = setting.open("watcher", true, None)?;
    watcher.subscribe(&topic)?;
    let _mortal = setting.open("mortal", true, Some(&topic))?;
    let heir = setting.open("mortal", true, None)?;
    watcher.expect(b"gone", false)?;
    heir.leave()?;
    watcher.leave()
}

fn queue(setting: &Setting) -> Outcome {
    let topic = setting.topic("queue");
    let mut before = setting.open("sleeper", false, None)?;
    before.subscribe(&topic)?;
    before.leave()?;
    let mut waker = setting.open("waker", true, None)?;
    for number in 0..MANY {
        waker.publish(&topic, number.to_string().as_bytes(), QoS::AtLeastOnce, false)?;
    }
    let mut after = setting.open("sleeper", false, None)?;
    for number in 0..MANY {
        after.expect(number.to_string().as_bytes(), false)?;
    }
    after.leave()?;
    waker.leave()
}

fn take_over(setting: &Setting) -> Outcome {
    let mut first = setting.open("same", true, None)?;
    let mut second = setting.open("same", true, None)?;
    first.wait(|one| matches!(one, Happened::Lost))?;
    second.subscribe(&setting.topic("same"))?;
    second.leave()
}

fn large(setting: &Setting) -> Outcome {
    let topic = setting.topic("large");
    let payload: Vec<u8> = (0..5 * 1024 * 1024_usize).map(|index| (index * 31 + index / 256) as u8).collect();
    let mut client = setting.open("large", true, None)?;
    client.subscribe(&topic)?;
    client.publish(&topic, &payload, QoS::AtLeastOnce, false)?;
    client.expect(&payload, false)?;
    client.leave()
}

fn main() {
    let values: Vec<String> = std::env::args().collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos();
    let certificate = std::fs::read(&values[2]).unwrap_or_default();
    let setting = Setting { url: values[1].clone(), certificate, prefix: format!("rust/{now}") };
    let cases: [(&str, &dyn Fn() -> Outcome); 8] = [
        ("qos0", &|| exchange(&setting, 0)),
        ("qos1", &|| exchange(&setting, 1)),
        ("qos2", &|| exchange(&setting, 2)),
        ("retained", &|| retained(&setting)),
        ("will", &|| will(&setting)),
        ("queue", &|| queue(&setting)),
        ("takeover", &|| take_over(&setting)),
        ("large", &|| large(&setting)),
    ];
    for (name, run) in cases {
        match run() {
            Ok(()) => println!("{name} ok"),
            Err(problem) => println!("{name} FAILED {problem}"),
        }
    }
}
