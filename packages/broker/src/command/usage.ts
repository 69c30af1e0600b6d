import { logLevels } from './command-line.ts'

/** What --help prints. */
export const usage: string = `x-broker: an MQTT broker (3.1, 3.1.1, 5.0)

  x-broker [options]
  x-broker data …        looks at a directory that it keeps, exports, imports, backs up: see x-broker data --help
  x-broker redis …       looks at what brokers keep in Redis: see x-broker redis --help
  x-broker pub|sub|rr …  publishes, subscribes, asks: with the options of Mosquitto's tools; see x-broker sub --help
  x-broker top …         shows what a broker does: see x-broker top --help
  x-broker bench …       puts a broker under load: see x-broker bench --help
  x-broker passwd …      users of a password file: see x-broker passwd --help
  x-broker access …      which rule decides what somebody may do: see x-broker access --help
  x-broker init [FILE]   begins a configuration: x-broker.yaml with every key and what it means

  -c, --config FILE      configuration: YAML, JSON or TOML by its ending, or Mosquitto's where it is .conf; other options, and
                         variables X_BROKER_…, outweigh it; read again on SIGHUP
      --check-config, --test-config        reads all files and says what is wrong with them: exit code 0 or 3
      --print-config                       prints the configuration as YAML, whatever it was written in; passwords and keys
                                           only with --show-secrets
  -p, --port NUMBER      port for MQTT; 0: any free one (default 1883, with TLS 8883)
  -H, --host ADDRESS     address to bind; '*': all (default: this machine alone, 127.0.0.1 and ::1)
      --password-file FILE                 who may connect, as x-broker passwd or mosquitto_passwd writes it
      --acl-file FILE                      who may publish and receive what, as Mosquitto has it
      --allow-anonymous                    lets in clients without user name (default: from this machine alone, and with a
                                           certificate that is asked for, as long as there is no password file)
  -L, --listen URL       instead of the two, and as often as you like: mqtt, mqtts, ws, wss, or several of them on one
                         port, at an address or a file
                           mqtt://127.0.0.1:1883       wss://:8084/mqtt?origins=https://example.org
                           mqtt+mqtts+ws+wss://:1883   mqtt+unix:/run/mqtt.sock
                         ?name= ?allow=10.0.0.0/8,::1 ?deny= ?origins= ?max-connections= ?max-rate= (a second)
                         ?connect-timeout= (ms)   ws, wss: ?max-payload= (bytes) ?packets-per-frame=one|many
                         ?strict-subprotocol=true|false
                         ?system-topics=false: nothing below $SYS for these clients
      --tls-cert FILE, --tls-key FILE      certificate and key (PEM) for mqtts and wss; read again on SIGHUP
      --tls-server NAME=CERT,KEY           files for a further server name (SNI); may be repeated
      --tls-ca FILE                        who signs the clients' certificates
      --tls-client-cert WHEN               none, optional or required (default: required with --tls-ca)
      --tls-identity-as-username           the certificate's Common Name, or the PSK identity, is the user name
      --tls-psk FILE                       pre-shared keys, lines identity:hexadecimal
      --trust-proxy LIST                   believe PROXY headers and X-Forwarded-For of these addresses, or 'all'
  -d, --data DIR         keeps sessions, retained messages and wills in this directory (default: x-broker in the platform's
                         state directory: $XDG_STATE_HOME or ~/.local/state, ~/Library/Application Support, %LOCALAPPDATA%)
      --data-durability WHEN               disk: acknowledged when it is on the disk (default); process: when it survives
                                           the end of the process; interval:MS: at once, on the disk MS ms later
  -m, --memory           keeps them in memory: a restart forgets them
  -r, --redis URL        one broker of many: sessions, retained messages and messages shared by all that name it:
                         redis://user:password@host:6379/0, redis-sentinel://host,host/master, redis-cluster://host,host
      --redis-durability WHEN              redis: acknowledged when Redis has it (default); replicated: when a replica has
  -w, --workers N        processes that share the work, or 'auto': one for each core (default 1); SIGUSR2 replaces them one by one
      --mesh DIR         connects brokers of this machine that name the same directory, without a server
      --mesh-listen ADDRESS                or of several machines: where the others reach this one, HOST:PORT
      --mesh-peers LIST                    addresses of the others, or dns:NAME:PORT for all addresses of a name
      --mesh-advertise ADDRESS             what the others connect to, where that differs
      --mesh-secret FILE                   a file with what all of them know, 16 bytes or more
      --mesh-cert FILE, --mesh-key FILE, --mesh-ca FILE   or certificates (PEM) of both sides, by an authority of their own
  -l, --log-level LEVEL  ${logLevels.join(', ')} (default info)
      --log-buffer BYTES                   of the log that wait when nobody reads it, or the disk is full; further lines
                                           are dropped and counted (default 1048576)
  -s, --sys-interval S   seconds between two looks at the $SYS statistics; 0: none (default 10)
      --metrics-port N                     serves /metrics for Prometheus, /health/live and /health/ready on this port
      --metrics-host ADDRESS               at this address; '*': all (default 127.0.0.1)
      --admin-port N                       serves an HTTP API and a dashboard on this port; the log has the address, with a key
      --admin-host ADDRESS                 at this address; '*': all (default 127.0.0.1)
  -v, --verbose          log level debug
  -q, --quiet            no log
  -h, --help             this text
      --version          the version

Logs go to standard output: readable in a terminal, JSON lines otherwise. SIGINT and SIGTERM close gracefully; a second
one ends at once. Exit codes: 0 closed, 1 could not start or closed by an error, 2 wrong command
line, 3 wrong configuration, 13 a password or ACL file can't be read, 14 no PID file or no such user.
`
