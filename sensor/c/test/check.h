/* A board whose line is a buffer, and what the tests ask of it. */
#ifndef SIG_TEST_CHECK_H
#define SIG_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIG_SENSOR_IMPLEMENTATION
#include "../sig_sensor.h"

#define CHECK(wanted)                                                              \
    do {                                                                           \
        if (!(wanted)) {                                                           \
            fprintf(stderr, "%s:%d: %s is not so\n", __FILE__, __LINE__, #wanted); \
            abort();                                                               \
        }                                                                          \
    } while (0)

static uint8_t line[1 << 16];
static size_t line_len;
static bool talking;

static void line_write(void *user, const uint8_t *bytes, size_t count) {
    (void)user;
    CHECK(talking);
    if (count > sizeof line - line_len) line_len = 0;
    memcpy(line + line_len, bytes, count);
    line_len += count;
}

static void line_turn(void *user, bool talk) {
    (void)user;
    CHECK(talking != talk);
    talking = talk;
}

/* What was said since the last time, as text. */
static inline const char *said(void) {
    static char text[sizeof line + 1];
    memcpy(text, line, line_len);
    text[line_len] = 0;
    line_len = 0;
    return text;
}

#define SAYS(expected)                                                                              \
    do {                                                                                            \
        const char *heard_ = said();                                                                \
        if (strcmp(heard_, expected) != 0) {                                                        \
            fprintf(stderr, "%s:%d: said\n%s\nand not\n%s\n", __FILE__, __LINE__, heard_, expected); \
            abort();                                                                                \
        }                                                                                           \
    } while (0)

static unsigned calls;

static void call_echo(sig_sensor *s, sig_value params, sig_out *answer) {
    char text[SIG_RX_MAX + 1];
    (void)s;
    calls++;
    if (params.len == 0) return;
    memcpy(text, params.at, params.len);
    text[params.len] = 0;
    sig_raw(answer, text);
}

static void call_add(sig_sensor *s, sig_value params, sig_out *answer) {
    int64_t a, b;
    sig_value item;
    (void)s;
    calls++;
    if (sig_item(params, 0, &item) && sig_as_int(item, &a) && sig_item(params, 1, &item) && sig_as_int(item, &b) &&
        a < 1000 && a > -1000 && b < 1000 && b > -1000) {
        sig_int(answer, a + b);
    } else {
        sig_fail(answer, "add wants two small numbers");
        sig_int(answer, 7); /* too late */
    }
}

/* Says events, and tries to talk to itself. */
static void call_shout(sig_sensor *s, sig_value params, sig_out *answer) {
    char text[16];
    calls++;
    if (!sig_as_text(params, text, sizeof text)) {
        sig_fail(answer, "shout wants a short text");
        return;
    }
    sig_event_text(s, "shout", text);
    sig_feed(s, "{\"id\":9,\"method\":\"echo\"}\n", 25);
    sig_object(answer);
    sig_key(answer, "shouted");
    sig_text(answer, text);
    sig_end_object(answer);
}

static void call_flood(sig_sensor *s, sig_value params, sig_out *answer) {
    int i;
    (void)s;
    (void)params;
    calls++;
    sig_array(answer);
    for (i = 0; i < 1000; i++) sig_int(answer, i);
    sig_end_array(answer);
}

static void call_break(sig_sensor *s, sig_value params, sig_out *answer) {
    (void)s;
    (void)params;
    calls++;
    sig_int(answer, 1);
    sig_int(answer, 2);
}

static const char *const some_events[] = {"temp", "shout", NULL};
static const sig_method some_methods[] = {{"echo", call_echo},   {"add", call_add},     {"shout", call_shout},
                                          {"flood", call_flood}, {"break", call_break}, {NULL, NULL}};

static sig_board board_of(sig_dialect dialect) {
    sig_board board = {"oven", some_events, some_methods, dialect, line_write, line_turn, NULL};
    line_len = 0;
    calls = 0;
    return board;
}

static inline void feed(sig_sensor *s, const char *text) { sig_feed(s, text, strlen(text)); }

#endif
