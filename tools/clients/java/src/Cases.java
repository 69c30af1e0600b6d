import java.net.URI;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** The cases, for both libraries: {@code java Cases hivemq|paho URL AUTHORITY}. */
final class Cases {
  private static final int MANY = 100;
  private static final int LARGE = 5 * 1024 * 1024;

  private final Library library;
  private final String prefix = "java/" + System.nanoTime();

  private interface Case {
    void run() throws Exception;
  }

  private Cases(Library library) {
    this.library = library;
  }

  public static void main(String[] values) throws Exception {
    Library.Place place = new Library.Place(new URI(values[1]), values[2]);
    new Cases(values[0].equals("hivemq") ? new HiveMq(place) : new Paho(place)).run();
    // Threads of the libraries may still be there.
    System.exit(0);
  }

  private void run() {
    Map<String, Case> cases = new LinkedHashMap<>();
    cases.put("qos0", () -> exchange(0));
    cases.put("qos1", () -> exchange(1));
    cases.put("qos2", () -> exchange(2));
    cases.put("retained", this::retained);
    cases.put("will", this::will);
    cases.put("queue", this::queue);
    cases.put("takeover", this::takeOver);
    cases.put("large", this::large);
    cases.forEach((name, one) -> {
      try {
        one.run();
        System.out.println(name + " ok");
      } catch (Exception error) {
        System.out.println(name + " FAILED " + error.toString().replace('\n', ' '));
      }
    });
  }

  private Library.Opened open(String name) throws Exception {
    return library.open(prefix + "/" + name, true, null);
  }

  private void exchange(int qos) throws Exception {
    String topic = prefix + "/qos" + qos;
    Library.Opened client = open("qos" + qos);
    client.subscribe(topic);
    publishNumbers(client, topic, qos);
    expectNumbers(client);
    client.leave();
  }

  private void retained() throws Exception {
    String topic = prefix + "/retained";
    Library.Opened client = open("keeper");
    client.publish(topic, "kept".getBytes(), 1, true);
    client.subscribe(topic);
    expect(client, "kept".getBytes(), true);
    client.leave();
  }

  private void will() throws Exception {
    String topic = prefix + "/will";
    Library.Opened watcher = open("watcher");
    watcher.subscribe(topic);
    library.open(prefix + "/mortal", true, topic);
    Library.Opened heir = open("mortal");
    expect(watcher, "gone".getBytes(), false);
    heir.leave();
    watcher.leave();
  }

  private void queue() throws Exception {
    String topic = prefix + "/queue";
    Library.Opened before = library.open(prefix + "/sleeper", false, null);
    before.subscribe(topic);
    before.leave();
    Library.Opened waker = open("waker");
    publishNumbers(waker, topic, 1);
    Library.Opened after = library.open(prefix + "/sleeper", false, null);
    expectNumbers(after);
    after.leave();
    waker.leave();
  }

  private void takeOver() throws Exception {
    Library.Opened first = open("same");
    Library.Opened second = open("same");
    first.awaitLost();
    second.subscribe(prefix + "/same");
    second.leave();
  }

  private void large() throws Exception {
    String topic = prefix + "/large";
    byte[] payload = new byte[LARGE];
    for (int index = 0; index < LARGE; index++) payload[index] = (byte) (index * 31 + index / 256);
    Library.Opened client = open("large");
    client.subscribe(topic);
    client.publish(topic, payload, 1, false);
    expect(client, payload, false);
    client.leave();
  }

  private static void publishNumbers(Library.Opened client, String topic, int qos) throws Exception {
    for (int number = 0; number < MANY; number++) {
      client.publish(topic, Integer.toString(number).getBytes(), qos, false);
    }
  }

  private static void expectNumbers(Library.Opened client) throws Exception {
    for (int number = 0; number < MANY; number++) expect(client, Integer.toString(number).getBytes(), false);
  }

  private static void expect(Library.Opened client, byte[] payload, boolean retained) throws Exception {
    Library.Message message = client.next();
    if (Arrays.equals(message.payload(), payload) && message.retained() == retained) return;
    throw new Exception(
        "another message came, of " + message.payload().length + " bytes, retained " + message.retained());
  }
}
