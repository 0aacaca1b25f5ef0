/* Eclipse paho's C client against a broker: every quality of service, a session that waits for its client, a retained message, a will that
 * take-over sets off, properties of version 5.
 *
 * usage: paho_c_client NAME URL [CA.crt]     URL: tcp:// ssl:// ws:// wss://     exit 0: everything arrived
 * NAME stands before client ids and topics, so that several can run side by side. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "MQTTAsync.h"

enum { kPatienceSeconds = 60, kMessages = 90, kWaiting = 10, kTextMax = 128, kGotMax = 1024, kTakenOver = 0x8E };

struct message {
    char topic[kTextMax];
    char payload[kTextMax];
    int retained;
    int user_properties;
    char response_topic[kTextMax];
    char content_type[kTextMax];
    int correlation_bytes;
};

struct client {
    MQTTAsync handle;
    int version;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int answered; /* requests */
    int failed;
    int session_present;
    int lost;
    int reason; /* of the server's DISCONNECT */
    int got;
    int read;
    struct message messages[kGotMax];
};

static const char* prefix;
static const char* url;
static const char* ca;

static void fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static void must(int code, const char* what) {
    if (code != MQTTASYNC_SUCCESS) fail("%s: %d %s", what, code, MQTTAsync_strerror(code) ? MQTTAsync_strerror(code) : "");
}

static void copy_text(char* to, const char* from, int size) {
    const int bytes = size < kTextMax - 1 ? size : kTextMax - 1;
    memcpy(to, from, (size_t)bytes);
    to[bytes] = 0;
}

static void copy_property(char* to, MQTTProperties* properties, enum MQTTPropertyCodes which) {
    const MQTTProperty* found = MQTTProperties_getProperty(properties, which);
    to[0] = 0;
    if (found != NULL) copy_text(to, found->value.data.data, found->value.data.len);
}

/* ---- what the library's thread tells */

static void answered(struct client* to, int good) {
    pthread_mutex_lock(&to->lock);
    ++to->answered;
    if (!good) to->failed = 1;
    pthread_cond_broadcast(&to->changed);
    pthread_mutex_unlock(&to->lock);
}

static void on_success(void* context, MQTTAsync_successData* response) {
    (void)response;
    answered(context, 1);
}

static void on_success5(void* context, MQTTAsync_successData5* response) {
    (void)response;
    answered(context, 1);
}

static void on_failure(void* context, MQTTAsync_failureData* response) {
    fprintf(stderr, "refused: %s\n", response != NULL && response->message != NULL ? response->message : "no reason");
    answered(context, 0);
}

static void on_failure5(void* context, MQTTAsync_failureData5* response) {
    fprintf(stderr, "refused: %d %s\n", response->reasonCode, response->message != NULL ? response->message : "no reason");
    answered(context, 0);
}

static void on_connected(void* context, MQTTAsync_successData* response) {
    ((struct client*)context)->session_present = response->alt.connect.sessionPresent;
    answered(context, 1);
}

static void on_connected5(void* context, MQTTAsync_successData5* response) {
    ((struct client*)context)->session_present = response->alt.connect.sessionPresent;
    answered(context, 1);
}

static void on_lost(void* context, char* cause) {
    struct client* at = context;
    (void)cause;
    pthread_mutex_lock(&at->lock);
    at->lost = 1;
    pthread_cond_broadcast(&at->changed);
    pthread_mutex_unlock(&at->lock);
}

static void on_told_off(void* context, MQTTProperties* properties, enum MQTTReasonCodes reason) {
    (void)properties;
    ((struct client*)context)->reason = (int)reason;
    on_lost(context, NULL);
}

static int on_message(void* context, char* topic, int topic_size, MQTTAsync_message* message) {
    struct client* at = context;
    pthread_mutex_lock(&at->lock);
    if (at->got == kGotMax) fail("more messages than anybody sent");
    struct message* got = &at->messages[at->got++];
    copy_text(got->topic, topic, topic_size != 0 ? topic_size : (int)strlen(topic));
    copy_text(got->payload, message->payload, message->payloadlen);
    got->retained = message->retained;
    got->user_properties = MQTTProperties_propertyCount(&message->properties, MQTTPROPERTY_CODE_USER_PROPERTY);
    copy_property(got->response_topic, &message->properties, MQTTPROPERTY_CODE_RESPONSE_TOPIC);
    copy_property(got->content_type, &message->properties, MQTTPROPERTY_CODE_CONTENT_TYPE);
    const MQTTProperty* correlation = MQTTProperties_getProperty(&message->properties, MQTTPROPERTY_CODE_CORRELATION_DATA);
    got->correlation_bytes = correlation != NULL ? correlation->value.data.len : -1;
    pthread_cond_broadcast(&at->changed);
    pthread_mutex_unlock(&at->lock);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

/* ---- one step each; returns when it is done */

/* Waits until *value >= wanted. */
static void wait_for(struct client* at, const int* value, int wanted, const char* what) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += kPatienceSeconds;
    pthread_mutex_lock(&at->lock);
    while (*value < wanted) {
        if (pthread_cond_timedwait(&at->changed, &at->lock, &until) != 0) fail("%s: only %d of %d came", what, *value, wanted);
        if (at->failed) fail("%s: refused", what);
    }
    pthread_mutex_unlock(&at->lock);
}

static MQTTAsync_responseOptions options_for(struct client* at) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.context = at;
    if (at->version == MQTTVERSION_5) {
        options.onSuccess5 = on_success5;
        options.onFailure5 = on_failure5;
    } else {
        options.onSuccess = on_success;
        options.onFailure = on_failure;
    }
    return options;
}

static struct client* create(const char* name, int version) {
    char id[kTextMax];
    struct client* at = calloc(1, sizeof *at);
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    if (version == MQTTVERSION_5) {
        const MQTTAsync_createOptions five = MQTTAsync_createOptions_initializer5;
        options = five;
    }
    snprintf(id, sizeof id, "%s-%s-%d", prefix, name, version);
    pthread_mutex_init(&at->lock, NULL);
    pthread_cond_init(&at->changed, NULL);
    at->version = version;
    must(MQTTAsync_createWithOptions(&at->handle, url, id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &options), "create");
    must(MQTTAsync_setCallbacks(at->handle, at, on_lost, on_message, NULL), "callbacks");
    if (version == MQTTVERSION_5) must(MQTTAsync_setDisconnected(at->handle, at, on_told_off), "callback");
    return at;
}

/* `keep`: the session outlives the connection. */
static void connect_to(struct client* at, int keep, const char* will_topic) {
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    if (at->version == MQTTVERSION_5) {
        const MQTTAsync_connectOptions five = MQTTAsync_connectOptions_initializer5;
        options = five;
        options.cleanstart = !keep;
        MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, .value.integer4 = keep ? 300 : 0};
        MQTTProperties_add(&properties, &expiry);
        options.connectProperties = &properties;
        options.onSuccess5 = on_connected5;
        options.onFailure5 = on_failure5;
    } else {
        options.MQTTVersion = at->version;
        options.cleansession = !keep;
        options.onSuccess = on_connected;
        options.onFailure = on_failure;
    }
    options.context = at;
    options.connectTimeout = kPatienceSeconds;
    options.keepAliveInterval = 60;
    if (will_topic != NULL) {
        will.topicName = will_topic;
        will.message = "gone";
        will.qos = 1;
        options.will = &will;
    }
    if (ca != NULL) {
        tls.trustStore = ca;
        tls.verify = 1;
        options.ssl = &tls;
    }
    const int before = at->answered;
    must(MQTTAsync_connect(at->handle, &options), "connect");
    wait_for(at, &at->answered, before + 1, "connect");
    MQTTProperties_free(&properties);
}

static void leave(struct client* at) {
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    if (at->version == MQTTVERSION_5) {
        const MQTTAsync_disconnectOptions five = MQTTAsync_disconnectOptions_initializer5;
        options = five;
        options.onSuccess5 = on_success5;
    } else {
        options.onSuccess = on_success;
    }
    options.context = at;
    options.timeout = kPatienceSeconds * 1000;
    const int before = at->answered;
    must(MQTTAsync_disconnect(at->handle, &options), "disconnect");
    wait_for(at, &at->answered, before + 1, "disconnect");
}

static void subscribe(struct client* at, const char* filter, int qos) {
    MQTTAsync_responseOptions options = options_for(at);
    const int before = at->answered;
    must(MQTTAsync_subscribe(at->handle, filter, qos, &options), "subscribe");
    wait_for(at, &at->answered, before + 1, "subscribe");
}

static void publish(struct client* at, const char* topic, const char* payload, int qos, int retained, MQTTProperties* properties) {
    MQTTAsync_responseOptions options = options_for(at);
    MQTTAsync_message message = MQTTAsync_message_initializer;
    message.payload = (void*)payload;
    message.payloadlen = (int)strlen(payload);
    message.qos = qos;
    message.retained = retained;
    if (properties != NULL) message.properties = *properties;
    const int before = at->answered;
    must(MQTTAsync_sendMessage(at->handle, topic, &message, &options), "publish");
    wait_for(at, &at->answered, before + 1, "publish");
}

static const struct message* next(struct client* at, const char* what) {
    wait_for(at, &at->got, at->read + 1, what);
    return &at->messages[at->read++];
}

static void expect(const struct message* got, const char* topic, const char* payload) {
    if (strcmp(got->topic, topic) != 0 || strcmp(got->payload, payload) != 0)
        fail("expected %s %s, got %s %s", topic, payload, got->topic, got->payload);
}

/* ---- the checks */

/* Order holds within a quality of service: QoS 0 may overtake, and QoS 2 is handed over only when its handshake ends. */
static void every_quality_arrives_once_and_in_order(struct client* reader, struct client* writer, const char* topic) {
    int after[3] = {0, 1, 2};
    for (int number = 0; number < kMessages; ++number) {
        char text[kTextMax];
        snprintf(text, sizeof text, "%d", number);
        publish(writer, topic, text, number % 3, 0, NULL);
    }
    for (int count = 0; count < kMessages; ++count) {
        const int number = atoi(next(reader, "messages")->payload);
        if (number != after[number % 3]) fail("of QoS %d expected %d, got %d", number % 3, after[number % 3], number);
        after[number % 3] += 3;
    }
}

static void messages_wait_for_a_client_that_is_away(struct client* reader, struct client* writer, const char* topic) {
    leave(reader);
    for (int number = 0; number < kWaiting; ++number) {
        char text[kTextMax];
        snprintf(text, sizeof text, "%d", number);
        publish(writer, topic, text, 1 + number % 2, 0, NULL);
    }
    connect_to(reader, 1, NULL);
    if (!reader->session_present) fail("the session was forgotten");
    int after[2] = {0, 1};
    for (int count = 0; count < kWaiting; ++count) {
        const int number = atoi(next(reader, "waiting messages")->payload);
        if (number != after[number % 2]) fail("waiting: expected %d, got %d", after[number % 2], number);
        after[number % 2] += 2;
    }
}

static void a_retained_message_meets_a_late_subscriber(struct client* writer, int version) {
    char topic[kTextMax];
    struct client* late = create("late", version);
    snprintf(topic, sizeof topic, "%s-kept", prefix);
    publish(writer, topic, "v", 1, 1, NULL);
    connect_to(late, 0, NULL);
    subscribe(late, topic, 1);
    const struct message* got = next(late, "retained");
    expect(got, topic, "v");
    if (!got->retained) fail("the retained message does not say so");
    publish(writer, topic, "", 1, 1, NULL);
    leave(late);
}

static void take_over_ends_the_older_connection_and_publishes_its_will(struct client* reader, const char* topic, int version) {
    struct client* older = create("twin", version);
    struct client* newer = create("twin", version);
    connect_to(older, 0, topic);
    connect_to(newer, 0, NULL);
    wait_for(older, &older->lost, 1, "take-over");
    if (version == MQTTVERSION_5 && older->reason != kTakenOver) fail("taken over for reason %d", older->reason);
    expect(next(reader, "will"), topic, "gone");
    leave(newer);
}

static void properties_arrive(struct client* reader, struct client* writer, const char* topic) {
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty user = {.identifier = MQTTPROPERTY_CODE_USER_PROPERTY, .value.data = {1, "a"}, .value.value = {1, "1"}};
    MQTTProperty response = {.identifier = MQTTPROPERTY_CODE_RESPONSE_TOPIC, .value.data = {6, "answer"}};
    MQTTProperty type = {.identifier = MQTTPROPERTY_CODE_CONTENT_TYPE, .value.data = {10, "text/plain"}};
    MQTTProperty correlation = {.identifier = MQTTPROPERTY_CODE_CORRELATION_DATA, .value.data = {3, "\0\1\2"}};
    MQTTProperties_add(&properties, &user);
    MQTTProperties_add(&properties, &user);
    MQTTProperties_add(&properties, &response);
    MQTTProperties_add(&properties, &type);
    MQTTProperties_add(&properties, &correlation);
    publish(writer, topic, "p", 2, 0, &properties);
    const struct message* got = next(reader, "properties");
    expect(got, topic, "p");
    if (got->user_properties != 2 || got->correlation_bytes != 3 || strcmp(got->response_topic, "answer") != 0 ||
        strcmp(got->content_type, "text/plain") != 0)
        fail("properties were lost");
    MQTTProperties_free(&properties);
}

static void check_version(int version) {
    char filter[kTextMax];
    char topic[kTextMax];
    snprintf(filter, sizeof filter, "%s/%d/#", prefix, version);
    snprintf(topic, sizeof topic, "%s/%d/x", prefix, version);
    struct client* reader = create("reader", version);
    struct client* writer = create("writer", version);
    connect_to(reader, 1, NULL);
    subscribe(reader, filter, 2);
    connect_to(writer, 0, NULL);
    every_quality_arrives_once_and_in_order(reader, writer, topic);
    messages_wait_for_a_client_that_is_away(reader, writer, topic);
    a_retained_message_meets_a_late_subscriber(writer, version);
    take_over_ends_the_older_connection_and_publishes_its_will(reader, topic, version);
    if (version == MQTTVERSION_5) properties_arrive(reader, writer, topic);
    if (reader->got != reader->read) fail("%d messages too many", reader->got - reader->read);
    leave(writer);
    leave(reader);
}

int main(int count, char** arguments) {
    MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
    if (count < 3) fail("usage: paho_c_client NAME URL [CA.crt]");
    prefix = arguments[1];
    url = arguments[2];
    ca = count > 3 ? arguments[3] : NULL;
    options.do_openssl_init = 1;
    MQTTAsync_global_init(&options);
    check_version(MQTTVERSION_3_1_1);
    check_version(MQTTVERSION_5);
    puts("ok");
    return 0;
}
