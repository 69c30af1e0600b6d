import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt3.Mqtt3AsyncClient;
import com.hivemq.client.mqtt.mqtt3.Mqtt3Client;
import com.hivemq.client.mqtt.mqtt3.Mqtt3ClientBuilder;
import com.hivemq.client.mqtt.mqtt3.message.connect.Mqtt3Connect;
import com.hivemq.client.mqtt.mqtt3.message.connect.Mqtt3ConnectBuilder;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** HiveMQ's client, the asynchronous one: its blocking one has no limit of time. */
final class HiveMq implements Library {
  private final Place place;

  HiveMq(Place place) {
    this.place = place;
  }

  @Override
  public Opened open(String id, boolean clean, String will) throws Exception {
    Mqtt3ClientBuilder builder =
        Mqtt3Client.builder().identifier(id).serverHost(place.url().getHost()).serverPort(place.url().getPort());
    if (place.secure()) builder.sslConfig().trustManagerFactory(place.trust()).applySslConfig();
    if (place.webSocket()) builder.webSocketConfig().serverPath(place.url().getPath()).applyWebSocketConfig();
    Client client = new Client(builder);
    Mqtt3ConnectBuilder connect = Mqtt3Connect.builder().cleanSession(clean);
    if (will != null) {
      connect.willPublish().topic(will).payload("gone".getBytes()).qos(MqttQos.AT_LEAST_ONCE).applyWillPublish();
    }
    done(client.mqtt.connect(connect.build()));
    return client;
  }

  private static void done(CompletableFuture<?> future) throws Exception {
    future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  private static final class Client extends Opened {
    final Mqtt3AsyncClient mqtt;

    Client(Mqtt3ClientBuilder builder) {
      mqtt = builder.addDisconnectedListener(context -> lost.countDown()).buildAsync();
      mqtt.publishes(
          MqttGlobalPublishFilter.ALL,
          message -> messages.add(new Message(message.getPayloadAsBytes(), message.isRetain())));
    }

    @Override
    void subscribe(String topic) throws Exception {
      done(mqtt.subscribeWith().topicFilter(topic).qos(MqttQos.EXACTLY_ONCE).send());
    }

    @Override
    void publish(String topic, byte[] payload, int qos, boolean retain) throws Exception {
      done(mqtt.publishWith().topic(topic).payload(payload).qos(MqttQos.fromCode(qos)).retain(retain).send());
    }

    @Override
    void leave() throws Exception {
      done(mqtt.disconnect());
    }
  }
}
