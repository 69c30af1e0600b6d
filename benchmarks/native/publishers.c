/* A load that needs little: so many publishers of QoS 1, each with one message in flight, in one thread of C.
 *
 *   publishers PORT CONNECTIONS WARM-UP-SECONDS SECONDS
 *
 * Prints the acknowledgements that came in the second time span, its length, and the CPU seconds that this process took in it.
 * One read and one write for each message, as clients on a thousand machines would do. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { payload_bytes = 100, frame_bytes = 160, most_events = 1024 };

struct publisher {
  int socket;
  int frame_length;
  unsigned char frame[frame_bytes];
};

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* A PUBLISH of QoS 1 with packet identifier 1; all lengths are under 128, so that each takes one byte. */
static void make_frame(struct publisher *publisher, int index) {
  char topic[32];
  int length = snprintf(topic, sizeof topic, "bench/topic/%d", index);
  unsigned char *at = publisher->frame;
  int remaining = 2 + length + 2 + payload_bytes;
  *at++ = 0x32;
  if (remaining > 127) {
    *at++ = (unsigned char)(remaining % 128 + 128);
    *at++ = (unsigned char)(remaining / 128);
  } else {
    *at++ = (unsigned char)remaining;
  }
  *at++ = 0;
  *at++ = (unsigned char)length;
  memcpy(at, topic, (size_t)length);
  at += length;
  *at++ = 0;
  *at++ = 1;
  memset(at, 'x', payload_bytes);
  publisher->frame_length = (int)(at + payload_bytes - publisher->frame);
}

/* MQTT 3.1.1, Clean Session, Keep Alive 0. */
static void open_publisher(struct publisher *publisher, int port, int index) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  unsigned char connect_frame[64] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0};
  unsigned char connack[4];
  int one = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int length = snprintf((char *)connect_frame + 14, sizeof connect_frame - 14, "publisher-%d", index);
  connect_frame[13] = (unsigned char)length;
  connect_frame[1] = (unsigned char)(12 + length);
  publisher->socket = socket(AF_INET, SOCK_STREAM, 0);
  if (publisher->socket < 0 || connect(publisher->socket, (struct sockaddr *)&address, sizeof address) != 0)
    fail("connect");
  setsockopt(publisher->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (write(publisher->socket, connect_frame, (size_t)(14 + length)) != 14 + length) fail("CONNECT");
  if (recv(publisher->socket, connack, 4, MSG_WAITALL) != 4 || connack[3] != 0) fail("CONNACK");
  make_frame(publisher, index);
}

static void publish(struct publisher *publisher) {
  if (write(publisher->socket, publisher->frame, (size_t)publisher->frame_length) != publisher->frame_length)
    fail("PUBLISH");
}

/* Until the given time; returns the acknowledgements. */
static long run(int epoll, double until) {
  struct epoll_event events[most_events];
  long acknowledged = 0;
  while (now() < until) {
    int count = epoll_wait(epoll, events, most_events, 100);
    for (int index = 0; index < count; index += 1) {
      struct publisher *publisher = events[index].data.ptr;
      unsigned char puback[4];
      if (recv(publisher->socket, puback, 4, MSG_WAITALL) != 4 || puback[0] != 0x40) fail("PUBACK");
      acknowledged += 1;
      publish(publisher);
    }
  }
  return acknowledged;
}

int main(int count, char **words) {
  if (count != 5) return 2;
  int port = atoi(words[1]), connections = atoi(words[2]);
  struct publisher *publishers = calloc((size_t)connections, sizeof *publishers);
  int epoll = epoll_create1(0);
  if (publishers == NULL || epoll < 0) fail("memory");
  for (int index = 0; index < connections; index += 1) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &publishers[index]};
    open_publisher(&publishers[index], port, index);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, publishers[index].socket, &event) != 0) fail("epoll");
  }
  for (int index = 0; index < connections; index += 1) publish(&publishers[index]);
  run(epoll, now() + atof(words[3]));
  double started = now(), used = cpu();
  long acknowledged = run(epoll, started + atof(words[4]));
  printf("{\"acknowledged\":%ld,\"seconds\":%.6f,\"cpuSeconds\":%.6f}\n", acknowledged, now() - started, cpu() - used);
  return 0;
}
