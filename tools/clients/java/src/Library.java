import java.io.FileInputStream;
import java.net.URI;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.TrustManagerFactory;

/** What the cases need of a library. */
interface Library {
  int PATIENCE_SECONDS = 15;

  /** Connects; {@code will} is the topic of a will, or null. */
  Opened open(String id, boolean clean, String will) throws Exception;

  record Message(byte[] payload, boolean retained) {}

  /** A connected client, which notes what it gets. */
  abstract class Opened {
    final BlockingQueue<Message> messages = new LinkedBlockingQueue<>();
    final CountDownLatch lost = new CountDownLatch(1);

    abstract void subscribe(String topic) throws Exception;

    /** Returns when the broker has acknowledged it, at QoS 1 and 2. */
    abstract void publish(String topic, byte[] payload, int qos, boolean retain) throws Exception;

    abstract void leave() throws Exception;

    Message next() throws Exception {
      Message message = messages.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
      if (message == null) throw new Exception("no message came");
      return message;
    }

    void awaitLost() throws Exception {
      if (!lost.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) throw new Exception("the connection was not ended");
    }
  }

  /** Where the broker listens, and which authority has signed its certificate. */
  record Place(URI url, String authority) {
    boolean secure() {
      return url.getScheme().equals("mqtts") || url.getScheme().equals("wss");
    }

    boolean webSocket() {
      return url.getScheme().startsWith("ws");
    }

    TrustManagerFactory trust() throws Exception {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null);
      try (FileInputStream file = new FileInputStream(authority)) {
        store.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(file));
      }
      TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      return factory;
    }
  }
}
