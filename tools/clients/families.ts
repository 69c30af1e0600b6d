/** A client library and the program here that uses it. Programs take the broker's URL and the file of its certificate, and print for
 * each case a line: its name, and `ok` or `FAILED` with the reason. */
export interface Family {
  readonly name: string
  readonly folder: string
  /** Commands that must be on the PATH. */
  readonly tools: readonly string[]
  /** What installs them. */
  readonly install: string
  /** Shell lines, run in the folder; what they make goes to `.build`. */
  readonly build: readonly string[]
  /** A shell line; `$1` is the URL, `$2` the certificate. */
  readonly run: string
  /** Cases that the library itself cannot do over a transport, with Mosquitto neither, and why. */
  readonly cannot?: Readonly<Record<string, string>>
}

const java = {
  folder: 'java',
  tools: ['javac', 'mvn'],
  install: 'apt-get install openjdk-17-jdk-headless maven',
  build: ['mvn -q -B compile dependency:copy-dependencies'],
} as const
const javaProgram = "java -cp '.build/classes:.build/dependency/*' Cases"

export const families: readonly Family[] = [
  {
    name: 'paho-c',
    folder: 'paho-c',
    tools: ['gcc'],
    install: 'apt-get install gcc libc6-dev libpaho-mqtt-dev',
    build: ['gcc -O1 -Wall -o .build/client client.c -lpaho-mqtt3cs'],
    run: '.build/client "$1" "$2"',
  },
  {
    name: 'paho-python',
    folder: 'paho-python',
    tools: ['python3'],
    install: 'apt-get install python3 python3-venv',
    build: [
      'test -d .build/venv || python3 -m venv .build/venv',
      '.build/venv/bin/pip install -q --disable-pip-version-check paho-mqtt==2.1.0',
    ],
    run: '.build/venv/bin/python client.py "$1" "$2"',
    cannot: { 'ws large': 'without TLS it stalls on a frame that the socket does not take whole' },
  },
  {
    name: 'paho-go',
    folder: 'paho-go',
    tools: ['go'],
    install: 'apt-get install golang',
    build: ['go build -o .build/client .'],
    run: '.build/client "$1" "$2"',
  },
  {
    name: 'rumqttc',
    folder: 'rumqttc',
    tools: ['cargo'],
    install: 'apt-get install cargo',
    build: ['cargo build -q --target-dir .build'],
    run: '.build/debug/client "$1" "$2"',
  },
  { name: 'hivemq-java', ...java, run: `${javaProgram} hivemq "$1" "$2"` },
  { name: 'paho-java', ...java, run: `${javaProgram} paho "$1" "$2"` },
]
