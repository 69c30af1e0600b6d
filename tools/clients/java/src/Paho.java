import javax.net.ssl.SSLContext;
import org.eclipse.paho.client.mqttv3.IMqttDeliveryToken;
import org.eclipse.paho.client.mqttv3.MqttCallback;
import org.eclipse.paho.client.mqttv3.MqttClient;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

/** Paho's client, the synchronous one. */
final class Paho implements Library {
  private final Place place;

  Paho(Place place) {
    this.place = place;
  }

  @Override
  public Opened open(String id, boolean clean, String will) throws Exception {
    MqttConnectOptions options = new MqttConnectOptions();
    options.setMqttVersion(MqttConnectOptions.MQTT_VERSION_3_1_1);
    options.setCleanSession(clean);
    // Its count of what is under way can lag behind the acknowledgements: at the default of 10 it refuses a message of QoS 1
    // or 2 at times on a busy machine, though the one before it has been acknowledged.
    options.setMaxInflight(100);
    if (will != null) options.setWill(will, "gone".getBytes(), 1, false);
    if (place.secure()) {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, place.trust().getTrustManagers(), null);
      options.setSocketFactory(context.getSocketFactory());
    }
    Client client = new Client(new MqttClient(url(), id, new MemoryPersistence()));
    client.mqtt.connect(options);
    return client;
  }

  /** This library's names of the schemes. */
  private String url() {
    return switch (place.url().getScheme()) {
      case "mqtt" -> place.url().toString().replaceFirst("mqtt", "tcp");
      case "mqtts" -> place.url().toString().replaceFirst("mqtts", "ssl");
      default -> place.url().toString();
    };
  }

  private static final class Client extends Opened implements MqttCallback {
    final MqttClient mqtt;

    Client(MqttClient mqtt) {
      this.mqtt = mqtt;
      mqtt.setTimeToWait(PATIENCE_SECONDS * 1000L);
      mqtt.setCallback(this);
    }

    @Override
    void subscribe(String topic) throws Exception {
      mqtt.subscribe(topic, 2);
    }

    @Override
    void publish(String topic, byte[] payload, int qos, boolean retain) throws Exception {
      mqtt.publish(topic, payload, qos, retain);
    }

    @Override
    void leave() throws Exception {
      mqtt.disconnect();
      mqtt.close();
    }

    @Override
    public void messageArrived(String topic, MqttMessage message) {
      messages.add(new Message(message.getPayload(), message.isRetained()));
    }

    @Override
    public void connectionLost(Throwable cause) {
      lost.countDown();
    }

    @Override
    public void deliveryComplete(IMqttDeliveryToken token) {}
  }
}
