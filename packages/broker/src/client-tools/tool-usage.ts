import type { Tool } from './flags.ts'

const heads: Readonly<Record<Exclude<Tool, 'top' | 'bench'>, string>> = {
  pub: `x-broker pub: publishes a message, with the options of mosquitto_pub

  x-broker pub -t TOPIC {-m MESSAGE | -f FILE | -n | -s | -l} [options]

  -m, --message TEXT     the payload; -f, --file FILE: of this file; -n: empty; -s: the whole input; -l: one message for each
                         line of the input
  -r, --retain           retained
      --repeat N         publishes it N times; --repeat-delay SECONDS: with a pause in between
  -M, --max-inflight N   messages of QoS 1 and 2 on their way at a time (default 20)
`,
  sub: `x-broker sub: subscribes and prints what comes, with the options of mosquitto_sub

  x-broker sub -t FILTER [-t FILTER …] [options]

  -C COUNT               ends after so many messages; -W SECONDS: after this time, with exit code 27
  -E                     ends when the subscriptions are acknowledged
  -R                     leaves out retained messages; --retained-only: ends at the first one that is not retained
      --remove-retained  clears each retained message that comes
  -T, --filter-out FILTER                  leaves these topics out
  -U, --unsubscribe FILTER                 unsubscribes
      --random-filter PERCENT              prints so many of 100 messages
`,
  rr: `x-broker rr: publishes a request and prints the response, with the options of mosquitto_rr

  x-broker rr -t TOPIC -e RESPONSE_TOPIC {-m MESSAGE | -f FILE | -n | -s} [options]

  -e TOPIC               where the response comes; MQTT 5 tells the other side
  -W SECONDS             waits so long, and ends with exit code 27
  -R                     takes no retained message for a response
`,
}

const topUsage = `x-broker top: shows what a broker does, from its $SYS topics

  x-broker top [options]

  -C COUNT               ends after so many frames, each of which is printed below the other; otherwise q or Ctrl-C ends it
  -h, --host HOST        (default localhost); -p, --port PORT (default 1883, with TLS 8883); --unix FILE: a Unix socket
  -L, --url URL          all at once: mqtt(s)://[USER[:PASSWORD]@]HOST[:PORT]/
  -u, --username NAME, -P, --pw PASSWORD, -i, --id ID, -I, --id-prefix TEXT
  -V, --protocol-version mqttv31, mqttv311 or mqttv5; -k, --keepalive SECONDS
      --cafile FILE, --capath DIR, --tls-use-os-certs, --cert FILE, --key FILE, --insecure, --ciphers LIST,
      --tls-version tlsv1.2|tlsv1.3, --tls-alpn NAME, --psk KEY, --psk-identity NAME
  -A ADDRESS, --nodelay, -d, --debug, --quiet, --help, --version

The broker publishes these numbers every --sys-interval seconds (default 10), for clients that may receive $SYS/broker/#.
Exit codes: 0 ended by the user or by -C, 1 failed or wrong command line, the broker's code when it refuses the connection,
7 the connection was lost, 27 no numbers came.
`

const benchUsage = `x-broker bench: publishes as fast as a broker takes it, and shows each second how much comes

  x-broker bench [options]

      --publishers N     (default 1); --subscribers N: each gets all messages (default 1; 0: none)
  -q, --qos 0|1|2        (default 0); --inflight N: of QoS 1 and 2, on their way at a time for each publisher (default 100)
      --size BYTES       of the payload (default 64)
      --seconds N        (default 10)
  -t, --topic TOPIC      (default bench/topic)
  -h, --host HOST        (default localhost); -p, --port PORT (default 1883); plain TCP alone
  -L, --url URL          all at once: mqtt://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC
  -u, --username NAME, -P, --pw PASSWORD; -i, --id ID: what client identifiers begin with
  -V, --protocol-version mqttv311 or mqttv5
      --help, --version

At QoS 0 a message counts as sent when the connection has taken it, otherwise when it is acknowledged. The load takes a core of its own: on
another machine, or with few cores, it is what is measured.
`

const output = `  -v, --verbose          prints topic and payload
  -N                     no end of line behind a payload
  -F FORMAT              %t topic, %p payload, %x %X in hexadecimal, %l its length, %q QoS, %r retained, %m packet identifier,
                         %I %U time, %j %J all as JSON (%J: with the payload as JSON; --pretty: in several lines),
                         MQTT 5: %A topic alias, %C content type, %D correlation data, %E expiry interval, %F format,
                         %P user properties, %R response topic, %S subscription identifier; %10t %-10t %.5t width and cut;
                         \\n \\t \\r \\e \\0 \\a \\v \\\\
`

const common = `  -t, --topic TOPIC
  -q, --qos 0|1|2        (default 0)
  -h, --host HOST        (default localhost); -p, --port PORT (default 1883, with TLS 8883); --unix FILE: a Unix socket
  -L, --url URL          all at once: mqtt(s)://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC
  -u, --username NAME, -P, --pw PASSWORD
  -i, --id ID            client identifier (default: none); -I, --id-prefix TEXT: and the number of the process behind it
  -c                     keeps the session (needs -i); -x SECONDS: for so long after the end (MQTT 5)
  -V, --protocol-version mqttv31, mqttv311 or mqttv5
  -k, --keepalive SECONDS                  5 to 65535 (default 60)
  -D COMMAND IDENTIFIER VALUE              a property of MQTT 5: -D publish content-type text/plain
      --will-topic TOPIC, --will-payload TEXT, --will-qos QOS, --will-retain
      --cafile FILE, --capath DIR          TLS, with those who sign the broker's certificate; --tls-use-os-certs: the usual ones
      --cert FILE, --key FILE              a certificate of one's own
      --insecure, --ciphers LIST, --tls-version tlsv1.2|tlsv1.3, --tls-alpn NAME, --psk KEY, --psk-identity NAME
  -A ADDRESS             local address to connect from; --nodelay is taken: packets are never held back
  -d, --debug            shows the packets; --quiet: no errors
      --help, --version

Exit codes are those of Mosquitto's tools: 0 done, 1 failed or wrong command line, the broker's code when it refuses the
connection, 7 the connection was lost, 27 the time of -W was over. There is no --proxy and no TLS engine here.
`

/** What `--help` of a tool prints. */
export function toolUsage(tool: Tool): string {
  if (tool === 'top') return topUsage
  if (tool === 'bench') return benchUsage
  return `${heads[tool]}${tool === 'pub' ? '' : output}${common}`
}
