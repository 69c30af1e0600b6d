/* The cases with Paho's client for C, the synchronous one. */
#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { patience = 15000, many = 100, large = 5 * 1024 * 1024 };

static char url[256];
static const char *certificate;
static char prefix[64];
static char problem[256];

#define CHECK(condition, ...)                          \
  do {                                                 \
    if (!(condition)) {                                \
      snprintf(problem, sizeof problem, __VA_ARGS__);  \
      return 0;                                        \
    }                                                  \
  } while (0)

static volatile int lost;

static void on_lost(void *context, char *cause) {
  (void)context;
  (void)cause;
  lost = 1;
}

static MQTTClient open_client(const char *name, int clean, const char *will) {
  MQTTClient client;
  MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
  MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
  MQTTClient_willOptions last = MQTTClient_willOptions_initializer;
  char id[128];
  snprintf(id, sizeof id, "%s/%s", prefix, name);
  if (MQTTClient_create(&client, url, id, MQTTCLIENT_PERSISTENCE_NONE, NULL) != 0) return NULL;
  options.cleansession = clean;
  options.connectTimeout = 10;
  options.reliable = 0;
  options.maxInflightMessages = many;
  if (strncmp(url, "ssl", 3) == 0 || strncmp(url, "wss", 3) == 0) {
    tls.trustStore = certificate;
    tls.verify = 1;
    options.ssl = &tls;
  }
  if (will != NULL) {
    last.topicName = will;
    last.message = "gone";
    last.qos = 1;
    options.will = &last;
  }
  int code = MQTTClient_connect(client, &options);
  if (code == 0) return client;
  snprintf(problem, sizeof problem, "connect: %d", code);
  MQTTClient_destroy(&client);
  return NULL;
}

static void leave(MQTTClient client) {
  MQTTClient_disconnect(client, 1000);
  MQTTClient_destroy(&client);
}

static int publish(MQTTClient client, const char *topic, const void *payload, int length, int qos, int retain) {
  MQTTClient_deliveryToken token;
  int code = MQTTClient_publish(client, topic, length, payload, qos, retain, &token);
  CHECK(code == 0, "publish: %d", code);
  if (qos == 0) return 1;
  code = MQTTClient_waitForCompletion(client, token, patience);
  CHECK(code == 0, "waitForCompletion: %d", code);
  return 1;
}

/* All are under way together, and the last acknowledgement is awaited: each wait takes this library 100 ms, whatever comes in. */
static int publish_numbers(MQTTClient client, const char *topic, int qos) {
  MQTTClient_deliveryToken token = 0;
  char payload[16];
  for (int number = 0; number < many; number++) {
    int length = snprintf(payload, sizeof payload, "%d", number);
    int code = MQTTClient_publish(client, topic, length, payload, qos, 0, &token);
    CHECK(code == 0, "publish: %d", code);
  }
  if (qos == 0) return 1;
  int code = MQTTClient_waitForCompletion(client, token, patience);
  CHECK(code == 0, "waitForCompletion: %d", code);
  return 1;
}

/* The next message must be this one. */
static int expect(MQTTClient client, const void *payload, int length, int retained) {
  char *topic = NULL;
  int topic_length;
  MQTTClient_message *message = NULL;
  int code = MQTTClient_receive(client, &topic, &topic_length, &message, patience);
  CHECK(message != NULL, "no message came (%d)", code);
  int same = message->payloadlen == length && memcmp(message->payload, payload, length) == 0;
  int flag = message->retained;
  int got = message->payloadlen;
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  CHECK(same, "another message came, of %d bytes instead of %d", got, length);
  CHECK(flag == retained, "retained is %d", flag);
  return 1;
}

static int exchange(int qos) {
  char topic[128], payload[16];
  snprintf(topic, sizeof topic, "%s/qos%d", prefix, qos);
  MQTTClient client = open_client("qos", 1, NULL);
  if (client == NULL) return 0;
  CHECK(MQTTClient_subscribe(client, topic, 2) == 0, "subscribe failed");
  if (!publish_numbers(client, topic, qos)) return 0;
  for (int number = 0; number < many; number++) {
    int length = snprintf(payload, sizeof payload, "%d", number);
    if (!expect(client, payload, length, 0)) return 0;
  }
  leave(client);
  return 1;
}

static int qos0(void) { return exchange(0); }
static int qos1(void) { return exchange(1); }
static int qos2(void) { return exchange(2); }

static int retained(void) {
  char topic[128];
  snprintf(topic, sizeof topic, "%s/retained", prefix);
  MQTTClient client = open_client("keeper", 1, NULL);
  if (client == NULL) return 0;
  if (!publish(client, topic, "kept", 4, 1, 1)) return 0;
  CHECK(MQTTClient_subscribe(client, topic, 1) == 0, "subscribe failed");
  if (!expect(client, "kept", 4, 1)) return 0;
  leave(client);
  return 1;
}

static int will(void) {
  char topic[128];
  snprintf(topic, sizeof topic, "%s/will", prefix);
  MQTTClient watcher = open_client("watcher", 1, NULL);
  if (watcher == NULL) return 0;
  CHECK(MQTTClient_subscribe(watcher, topic, 1) == 0, "subscribe failed");
  MQTTClient mortal = open_client("mortal", 1, topic);
  if (mortal == NULL) return 0;
  MQTTClient heir = open_client("mortal", 1, NULL);
  if (heir == NULL) return 0;
  if (!expect(watcher, "gone", 4, 0)) return 0;
  MQTTClient_destroy(&mortal);
  leave(heir);
  leave(watcher);
  return 1;
}

static int queue(void) {
  char topic[128], payload[16];
  snprintf(topic, sizeof topic, "%s/queue", prefix);
  MQTTClient before = open_client("sleeper", 0, NULL);
  if (before == NULL) return 0;
  CHECK(MQTTClient_subscribe(before, topic, 2) == 0, "subscribe failed");
  leave(before);
  MQTTClient waker = open_client("waker", 1, NULL);
  if (waker == NULL) return 0;
  if (!publish_numbers(waker, topic, 1)) return 0;
  MQTTClient after = open_client("sleeper", 0, NULL);
  if (after == NULL) return 0;
  for (int number = 0; number < many; number++) {
    int length = snprintf(payload, sizeof payload, "%d", number);
    if (!expect(after, payload, length, 0)) return 0;
  }
  leave(after);
  leave(waker);
  return 1;
}

static int on_message(void *context, char *topic, int length, MQTTClient_message *message) {
  (void)context;
  (void)length;
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  return 1;
}

static int takeover(void) {
  /* A client with callbacks is served by a thread of the library for all of them, so this case comes last. */
  MQTTClient first;
  char id[128];
  MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
  MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
  snprintf(id, sizeof id, "%s/same", prefix);
  CHECK(MQTTClient_create(&first, url, id, MQTTCLIENT_PERSISTENCE_NONE, NULL) == 0, "create failed");
  MQTTClient_setCallbacks(first, NULL, on_lost, on_message, NULL);
  tls.trustStore = certificate;
  tls.verify = 1;
  options.ssl = &tls;
  CHECK(MQTTClient_connect(first, &options) == 0, "connect failed");
  lost = 0;
  MQTTClient second = open_client("same", 1, NULL);
  if (second == NULL) return 0;
  struct timespec pause = {0, 10000000};
  for (int waited = 0; !lost && waited < patience; waited += 10) nanosleep(&pause, NULL);
  CHECK(lost, "the first connection was not ended");
  CHECK(MQTTClient_isConnected(second), "the second connection was ended");
  MQTTClient_destroy(&first);
  leave(second);
  return 1;
}

static int large_message(void) {
  char topic[128];
  snprintf(topic, sizeof topic, "%s/large", prefix);
  char *payload = malloc(large);
  for (int index = 0; index < large; index++) payload[index] = (char)(index * 31 + index / 256);
  MQTTClient client = open_client("large", 1, NULL);
  if (client == NULL) return 0;
  CHECK(MQTTClient_subscribe(client, topic, 1) == 0, "subscribe failed");
  if (!publish(client, topic, payload, large, 1, 0)) return 0;
  if (!expect(client, payload, large, 0)) return 0;
  leave(client);
  free(payload);
  return 1;
}

int main(int count, char **values) {
  if (count < 3) return 2;
  /* This library's names of the schemes. */
  const char *rest = strstr(values[1], "://");
  const char *scheme = strncmp(values[1], "mqtts", 5) == 0 ? "ssl" : strncmp(values[1], "mqtt", 4) == 0 ? "tcp" : NULL;
  if (scheme == NULL) snprintf(url, sizeof url, "%s", values[1]);
  else snprintf(url, sizeof url, "%s%s", scheme, rest);
  certificate = values[2];
  /* Two runs may begin in the same second, and must not take each other's connections over. */
  snprintf(prefix, sizeof prefix, "c/%ld-%ld", (long)time(NULL), (long)getpid());
  struct {
    const char *name;
    int (*run)(void);
  } cases[] = {{"qos0", qos0}, {"qos1", qos1},   {"qos2", qos2},           {"retained", retained},
               {"will", will}, {"queue", queue}, {"large", large_message}, {"takeover", takeover}};
  for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
    problem[0] = 0;
    if (cases[index].run()) printf("%s ok\n", cases[index].name);
    else printf("%s FAILED %s\n", cases[index].name, problem);
    fflush(stdout);
  }
  return 0;
}
