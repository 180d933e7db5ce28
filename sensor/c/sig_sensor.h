/* sig_sensor.h: makes a board a sender of a sig router, over a serial line. One header, C99 or C++, no allocation.
 *
 *   #define SIG_SENSOR_IMPLEMENTATION      in exactly one source file
 *   #include "sig_sensor.h"
 *
 *   static void led(sig_sensor *s, sig_value params, sig_out *answer) {
 *       bool on;
 *       (void)s;
 *       if (!sig_as_bool(params, &on)) { sig_fail(answer, "led wants true or false"); return; }
 *       set_led(on);
 *       sig_bool(answer, on);
 *   }
 *   static const char *const events[] = {"temp", NULL};
 *   static const sig_method methods[] = {{"led", led}, {NULL, NULL}};
 *   static const sig_board board = {"oven", events, methods, SIG_LINES_CRC, uart_write, NULL, NULL};
 *   static sig_sensor sensor;
 *
 *   sig_start(&sensor, &board);                               once: says who this is
 *   sig_feed(&sensor, bytes, count);                          whatever the line brought
 *   sig_tick(&sensor, milliseconds);                          now and then
 *   sig_event_decimal(&sensor, "temp", 21.5, 1);              whenever there is news
 *
 * What is on the line is told in docs/SERIAL.md of the sig project. Every document carries its number, so the router
 * counts what the line lost. A request that comes twice is executed once. Damaged input is dropped and counted.
 * Not reentrant: call from one thread, and not from an interrupt.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef SIG_SENSOR_H
#define SIG_SENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the longest request, with its checksum. */
#ifndef SIG_RX_MAX
#define SIG_RX_MAX 320
#endif
/* Bytes of the longest event and of the hello. */
#ifndef SIG_TX_MAX
#define SIG_TX_MAX 320
#endif
/* Bytes of the longest answer; it is kept for a request that is repeated. */
#ifndef SIG_ANSWER_MAX
#define SIG_ANSWER_MAX 192
#endif
/* How often a board repeats its hello until it heard a host. */
#ifndef SIG_HELLO_MS
#define SIG_HELLO_MS 5000
#endif
/* Deepest nesting of arrays and objects, at most 32. */
#ifndef SIG_DEPTH_MAX
#define SIG_DEPTH_MAX 16
#endif

typedef struct sig_sensor sig_sensor;

/* How this board talks. */
typedef enum sig_dialect {
    SIG_LINES,     /* lines of JSON */
    SIG_LINES_CRC, /* lines of JSON, each with a CRC-32: damage is noticed, a terminal still shows text */
    SIG_FRAMES     /* COBS frames with CRC-32C: the board may print anything beside them */
} sig_dialect;

/* A piece of the request, valid JSON. Good until the method returns. */
typedef struct sig_value {
    const char *at;
    size_t len; /* 0: there is none */
} sig_value;

typedef enum sig_kind { SIG_NONE, SIG_NULL, SIG_BOOL, SIG_NUMBER, SIG_TEXT, SIG_ARRAY, SIG_OBJECT } sig_kind;

/* Where one JSON value is written to: the data of an event, or an answer. What does not fit is noticed at the end. */
typedef struct sig_out {
    char *at;
    uint16_t len;
    uint16_t max;
    uint16_t start; /* of the value */
    uint16_t mark;  /* behind the id of an answer */
    bool full;
    bool failed;
} sig_out;

/* A method that a router may request. It writes one value to `answer` (none: null) or calls sig_fail. */
typedef struct sig_method {
    const char *name;
    void (*call)(sig_sensor *sensor, sig_value params, sig_out *answer);
} sig_method;

/* What a board is. All of it may be constant. */
typedef struct sig_board {
    const char *name;
    const char *const *events;  /* ends with NULL; or NULL: not told */
    const sig_method *methods;  /* ends with {NULL, NULL}; or NULL: none */
    sig_dialect dialect;
    void (*write)(void *user, const uint8_t *bytes, size_t count); /* all of them, or the router counts a loss */
    void (*turn)(void *user, bool talking); /* NULL, or the direction pin of a half-duplex line */
    void *user;
} sig_board;

struct sig_sensor {
    const sig_board *board;
    uint32_t n; /* of the next document */
    /* What arrived and was not used. */
    uint32_t damaged;  /* checksum, framing */
    uint32_t overlong; /* more than SIG_RX_MAX */
    uint32_t ignored;  /* no request, though intact */
    /* The rest is the library's own. */
    uint32_t said_ms, last_crc;
    uint16_t last_id, rx_len;
    uint8_t left, match;
    bool begun, zero, spoilt, heard, ticked, busy;
    sig_out tx, answer;
    uint8_t rx[SIG_RX_MAX];
    char tx_text[SIG_TX_MAX];
    char answer_text[SIG_ANSWER_MAX];
};

/* Begins, and says hello. False when the hello is longer than SIG_TX_MAX or the name is no text. */
bool sig_start(sig_sensor *sensor, const sig_board *board);
/* Says hello (again). */
bool sig_hello(sig_sensor *sensor);
/* Takes what arrived, calls methods and answers them. Does nothing when a method calls it. */
void sig_feed(sig_sensor *sensor, const void *bytes, size_t count);
/* Time goes by; any clock of milliseconds that may wrap. */
void sig_tick(sig_sensor *sensor, uint32_t now_ms);

/* Events. False when one did not fit or is no JSON: it is not sent, and the router counts it as missed. */
bool sig_event_null(sig_sensor *sensor, const char *event);
bool sig_event_bool(sig_sensor *sensor, const char *event, bool value);
bool sig_event_int(sig_sensor *sensor, const char *event, int64_t value);
bool sig_event_fixed(sig_sensor *sensor, const char *event, int64_t value, unsigned digits);
bool sig_event_decimal(sig_sensor *sensor, const char *event, double value, unsigned digits);
bool sig_event_text(sig_sensor *sensor, const char *event, const char *text);
/* An event with any value: write it to what this gives, then send it. */
sig_out *sig_event(sig_sensor *sensor, const char *event);
bool sig_send(sig_sensor *sensor);
/* Text for people: the event `log` of the router's sender. */
void sig_log(sig_sensor *sensor, const char *text);

/* Writing a value. Commas come by themselves. */
void sig_null(sig_out *out);
void sig_bool(sig_out *out, bool value);
void sig_int(sig_out *out, int64_t value);
/* So many digits (at most 9) behind the point; null for what is no number or beyond 9e17 without the point. */
void sig_decimal(sig_out *out, double value, unsigned digits);
/* The same without floating point: 215 with one digit is 21.5. */
void sig_fixed(sig_out *out, int64_t value, unsigned digits);
/* Text in UTF-8; what is not becomes U+FFFD. */
void sig_text(sig_out *out, const char *text);
/* JSON as it is. */
void sig_raw(sig_out *out, const char *json);
void sig_object(sig_out *out);
void sig_key(sig_out *out, const char *key);
void sig_end_object(sig_out *out);
void sig_array(sig_out *out);
void sig_end_array(sig_out *out);
/* The answer of a method is this error. */
void sig_fail(sig_out *answer, const char *why);

/* Reading a value. False when it is of another kind or does not fit. */
sig_kind sig_kind_of(sig_value value);
bool sig_as_bool(sig_value value, bool *to);
bool sig_as_int(sig_value value, int64_t *to);
bool sig_as_double(sig_value value, double *to);
bool sig_as_text(sig_value value, char *to, size_t max); /* with a 0 at its end */
bool sig_text_is(sig_value value, const char *text);
bool sig_member(sig_value object, const char *key, sig_value *to);
bool sig_item(sig_value array, size_t index, sig_value *to);
/* One JSON value with spaces around it, from anywhere. */
bool sig_parse(const char *text, size_t len, sig_value *to);

#ifdef __cplusplus
}
#endif
#endif

#if defined(SIG_SENSOR_IMPLEMENTATION) && !defined(SIG_SENSOR_IMPLEMENTED)
#define SIG_SENSOR_IMPLEMENTED

#ifdef __cplusplus
extern "C" {
#endif

typedef char sig__ram_is_at_most_2_kib[sizeof(sig_sensor) <= 2048 ? 1 : -1];
typedef char sig__answers_hold_an_error[SIG_ANSWER_MAX >= 64 && SIG_RX_MAX >= 64 && SIG_DEPTH_MAX <= 32 ? 1 : -1];

/* ---- checksums: bit by bit, since a table would cost a small board more than the time is worth ---- */

#define SIG__CRC32 0xEDB88320u  /* CRC-32/ISO-HDLC, zlib's: lines */
#define SIG__CRC32C 0x82F63B78u /* CRC-32/ISCSI: frames */

static uint32_t sig__crc(uint32_t polynomial, uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *at = (const uint8_t *)bytes;
    crc = ~crc;
    for (; count > 0; count--) {
        int bit;
        crc ^= *at++;
        for (bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (polynomial & (0u - (crc & 1u)));
    }
    return ~crc;
}

/* ---- reading JSON ---- */

static bool sig__digit(char c) { return c >= '0' && c <= '9'; }

static int sig__hex(char c) {
    if (sig__digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool sig__hex_number(const char *at, unsigned digits, uint32_t *to) {
    *to = 0;
    for (; digits > 0; digits--) {
        int digit = sig__hex(*at++);
        if (digit < 0) return false;
        *to = *to << 4 | (uint32_t)digit;
    }
    return true;
}

static const char *sig__space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

/* Bytes of the UTF-8 character here, 0 when it is none. */
static size_t sig__utf8(const char *text, const char *end) {
    const uint8_t *at = (const uint8_t *)text;
    size_t have = (size_t)(end - text), more, i;
    uint8_t low = 0x80, high = 0xBF;
    if (have == 0) return 0;
    if (at[0] < 0x80) return 1;
    if (at[0] < 0xC2 || at[0] > 0xF4) return 0;
    more = at[0] < 0xE0 ? 1 : at[0] < 0xF0 ? 2 : 3;
    if (have <= more) return 0;
    if (at[0] == 0xE0) low = 0xA0;
    if (at[0] == 0xED) high = 0x9F;
    if (at[0] == 0xF0) low = 0x90;
    if (at[0] == 0xF4) high = 0x8F;
    for (i = 1; i <= more; i++) {
        if (at[i] < low || at[i] > high) return 0;
        low = 0x80;
        high = 0xBF;
    }
    return more + 1;
}

/* Each of these gives where the thing here ends, NULL when it is none. */
static const char *sig__string_end(const char *at, const char *end) {
    if (at == end || *at != '"') return NULL;
    at++;
    while (at < end && *at != '"') {
        if ((uint8_t)*at < 0x20) return NULL;
        if (*at == '\\') {
            uint32_t unit;
            if (end - at < 2) return NULL;
            switch (at[1]) {
            case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
                at += 2;
                break;
            case 'u':
                if (end - at < 6 || !sig__hex_number(at + 2, 4, &unit)) return NULL;
                at += 6;
                break;
            default:
                return NULL;
            }
        } else {
            size_t len = sig__utf8(at, end);
            if (len == 0) return NULL;
            at += len;
        }
    }
    return at < end ? at + 1 : NULL;
}

static const char *sig__digits_end(const char *at, const char *end) {
    if (at == end || !sig__digit(*at)) return NULL;
    while (at < end && sig__digit(*at)) at++;
    return at;
}

static const char *sig__number_end(const char *at, const char *end) {
    if (at < end && *at == '-') at++;
    if (at < end && *at == '0') {
        at++;
    } else {
        at = sig__digits_end(at, end);
    }
    if (at != NULL && at < end && *at == '.') at = sig__digits_end(at + 1, end);
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        at = sig__digits_end(at, end);
    }
    return at;
}

static const char *sig__word_end(const char *at, const char *end) {
    const char *word = *at == 't' ? "true" : *at == 'f' ? "false" : "null";
    for (; *word != 0; word++, at++) {
        if (at == end || *at != *word) return NULL;
    }
    return at;
}

/* The value here, which no space is in front of. Nesting costs a bit for each level, and no stack. */
static const char *sig__value_end(const char *at, const char *end) {
    uint32_t objects = 0; /* the innermost is the lowest bit: 1 for an object */
    unsigned depth = 0;
    bool value = true; /* a value is due, and no comma or end */
    while (at != NULL) {
        bool object = (objects & 1u) != 0;
        if (at == end) return NULL;
        if (value) {
            char close;
            value = false;
            if (*at != '{' && *at != '[') {
                at = *at == '"' ? sig__string_end(at, end)
                     : *at == '-' || sig__digit(*at) ? sig__number_end(at, end)
                                                     : sig__word_end(at, end);
                if (depth == 0) return at;
                continue;
            }
            if (depth == SIG_DEPTH_MAX) return NULL;
            depth++;
            object = *at == '{';
            close = object ? '}' : ']';
            objects = objects << 1 | (object ? 1u : 0u);
            at = sig__space(at + 1, end);
            if (at < end && *at == close) continue;
        } else {
            at = sig__space(at, end);
            if (at == end) return NULL;
            if (*at == (object ? '}' : ']')) {
                at++;
                objects >>= 1;
                if (--depth == 0) return at;
                continue;
            }
            if (*at != ',') return NULL;
            at = sig__space(at + 1, end);
        }
        value = true;
        if (object) { /* its next key */
            at = sig__string_end(at, end);
            if (at == NULL) return NULL;
            at = sig__space(at, end);
            if (at == end || *at != ':') return NULL;
            at = sig__space(at + 1, end);
        }
    }
    return NULL;
}

bool sig_parse(const char *text, size_t len, sig_value *to) {
    const char *end = text + len, *begin = sig__space(text, end);
    const char *last = sig__value_end(begin, end);
    to->at = begin;
    to->len = 0;
    if (last == NULL || sig__space(last, end) != end) return false;
    to->len = (size_t)(last - begin);
    return true;
}

sig_kind sig_kind_of(sig_value value) {
    if (value.len == 0) return SIG_NONE;
    switch (*value.at) {
    case '{': return SIG_OBJECT;
    case '[': return SIG_ARRAY;
    case '"': return SIG_TEXT;
    case 't': case 'f': return SIG_BOOL;
    case 'n': return SIG_NULL;
    default: return SIG_NUMBER;
    }
}

bool sig_as_bool(sig_value value, bool *to) {
    if (sig_kind_of(value) != SIG_BOOL) return false;
    *to = *value.at == 't';
    return true;
}

bool sig_as_int(sig_value value, int64_t *to) {
    const char *at = value.at, *end = at + value.len;
    uint64_t sum = 0, most;
    bool negative;
    if (sig_kind_of(value) != SIG_NUMBER) return false;
    negative = *at == '-';
    most = (uint64_t)INT64_MAX + (negative ? 1u : 0u);
    for (at += negative ? 1 : 0; at < end; at++) {
        uint8_t digit = (uint8_t)(*at - '0');
        if (!sig__digit(*at) || sum > (most - digit) / 10) return false;
        sum = sum * 10 + digit;
    }
    *to = !negative ? (int64_t)sum : sum > (uint64_t)INT64_MAX ? INT64_MIN : -(int64_t)sum;
    return true;
}

bool sig_as_double(sig_value value, double *to) {
    const char *at = value.at, *end = at + value.len;
    uint64_t sum = 0;
    int32_t power = 0, shown = 0;
    bool negative, point = false, down;
    double result;
    if (sig_kind_of(value) != SIG_NUMBER) return false;
    negative = *at == '-';
    for (at += negative ? 1 : 0; at < end && (sig__digit(*at) || *at == '.'); at++) {
        if (*at == '.') {
            point = true;
        } else if (sum < UINT64_MAX / 10 - 1) {
            sum = sum * 10 + (uint8_t)(*at - '0');
            power -= point ? 1 : 0;
        } else {
            power += point ? 0 : 1;
        }
    }
    if (at < end) { /* e */
        at++;
        down = *at == '-';
        if (*at == '-' || *at == '+') at++;
        for (; at < end; at++) {
            if (shown < 10000) shown = shown * 10 + (*at - '0');
        }
        power += down ? -shown : shown;
    }
    result = (double)sum;
    down = power < 0;
    if (down) power = -power;
    if (power > 400) power = 400;
    while (power > 0) { /* steps of at most 10^22, the last power of ten that a double holds exactly */
        double ten = 1;
        int32_t step = power > 22 ? 22 : power;
        power -= step;
        for (; step > 0; step--) ten *= 10;
        result = down ? result / ten : result * ten;
    }
    *to = negative ? -result : result;
    return true;
}

static size_t sig__encode(uint32_t c, char *to) {
    size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3, i;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    to[0] = (char)(uint8_t)(lead[more] | c >> (6 * more));
    for (i = 1; i <= more; i++) to[i] = (char)(uint8_t)(0x80 | (c >> (6 * (more - i)) & 0x3F));
    return more + 1;
}

/* The characters of a string, one at a time: bytes of UTF-8 at `to`, how many of them; 0 at its end. */
static size_t sig__character(const char **at, char *to) {
    const char *from = *at;
    uint32_t unit, low;
    if (*from == '"') return 0;
    if (*from != '\\') {
        *to = *from;
        *at = from + 1;
        return 1;
    }
    *at = from + 2;
    switch (from[1]) {
    case 'b': *to = '\b'; return 1;
    case 'f': *to = '\f'; return 1;
    case 'n': *to = '\n'; return 1;
    case 'r': *to = '\r'; return 1;
    case 't': *to = '\t'; return 1;
    case 'u': break;
    default: *to = from[1]; return 1;
    }
    *at = from + 6;
    if (!sig__hex_number(from + 2, 4, &unit)) unit = 0xFFFD;
    if (unit >= 0xD800 && unit < 0xDC00 && from[6] == '\\' && from[7] == 'u' && sig__hex_number(from + 8, 4, &low) &&
        low >= 0xDC00 && low < 0xE000) {
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        *at = from + 12;
    }
    if (unit >= 0xD800 && unit < 0xE000) unit = 0xFFFD; /* half a pair */
    return sig__encode(unit, to);
}

bool sig_as_text(sig_value value, char *to, size_t max) {
    const char *at = value.at + 1;
    char bytes[4];
    size_t len, i, used = 0;
    if (sig_kind_of(value) != SIG_TEXT || max == 0) return false;
    while ((len = sig__character(&at, bytes)) > 0) {
        if (len >= max - used || bytes[0] == 0) return false;
        for (i = 0; i < len; i++) to[used++] = bytes[i];
    }
    to[used] = 0;
    return true;
}

/* The string at `at`, which ends, against a C string. */
static bool sig__same(const char *at, const char *text) {
    char bytes[4];
    size_t len, i;
    at++;
    while ((len = sig__character(&at, bytes)) > 0) {
        for (i = 0; i < len; i++) {
            if (*text == 0 || *text++ != bytes[i]) return false;
        }
    }
    return *text == 0;
}

bool sig_text_is(sig_value value, const char *text) {
    return sig_kind_of(value) == SIG_TEXT && sig__same(value.at, text);
}

/* The member of that name, or (key NULL) the item with that index. Of equal names the last one counts. */
static bool sig__find(sig_value value, const char *key, size_t index, sig_value *to) {
    const char *end = value.at + value.len, *at = sig__space(value.at + 1, end);
    bool found = false;
    while (at < end && *at != ']' && *at != '}') {
        const char *name = at, *begin;
        if (key != NULL) {
            at = sig__string_end(at, end);
            if (at == NULL) return false;
            at = sig__space(sig__space(at, end) + 1, end); /* : */
        }
        begin = at;
        at = sig__value_end(at, end);
        if (at == NULL) return false;
        if (key != NULL ? sig__same(name, key) : index-- == 0) {
            to->at = begin;
            to->len = (size_t)(at - begin);
            found = true;
            if (key == NULL) return true;
        }
        at = sig__space(at, end);
        if (at < end && *at == ',') at = sig__space(at + 1, end);
    }
    return found;
}

bool sig_member(sig_value object, const char *key, sig_value *to) {
    to->at = object.at;
    to->len = 0;
    return sig_kind_of(object) == SIG_OBJECT && sig__find(object, key, 0, to);
}

bool sig_item(sig_value array, size_t index, sig_value *to) {
    to->at = array.at;
    to->len = 0;
    return sig_kind_of(array) == SIG_ARRAY && sig__find(array, NULL, index, to);
}

/* ---- writing JSON ---- */

static void sig__begin(sig_out *out, char *text, size_t max) {
    out->at = text;
    out->max = (uint16_t)(max - 1); /* room for the brace at the end */
    out->len = 0;
    out->start = 0;
    out->mark = 0;
    out->full = false;
    out->failed = false;
}

static void sig__put(sig_out *out, char c) {
    if (out->failed) return;
    if (out->len < out->max) {
        out->at[out->len++] = c;
    } else {
        out->full = true;
    }
}

static void sig__puts(sig_out *out, const char *text) {
    while (*text != 0) sig__put(out, *text++);
}

/* In front of a value or key: a comma, unless it is the first of its array or object. No value ends like a beginning. */
static void sig__next(sig_out *out) {
    char last;
    if (out->len == 0) return;
    last = out->at[out->len - 1];
    if (last != '{' && last != '[' && last != ':') sig__put(out, ',');
}

static void sig__quoted(sig_out *out, const char *text) {
    const char *end = text;
    while (*end != 0) end++;
    sig__put(out, '"');
    while (text < end) {
        size_t len = sig__utf8(text, end);
        uint8_t c = (uint8_t)*text;
        if (len == 0) {
            sig__puts(out, "\\ufffd");
            text++;
            continue;
        }
        if (c < 0x20) {
            sig__puts(out, "\\u00");
            sig__put(out, (char)('0' + (c >> 4)));
            sig__put(out, "0123456789abcdef"[c & 15]);
            text++;
            continue;
        }
        if (c == '"' || c == '\\') sig__put(out, '\\');
        for (; len > 0; len--) sig__put(out, *text++);
    }
    sig__put(out, '"');
}

static void sig__unsigned(sig_out *out, uint64_t value, unsigned least) {
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value > 0);
    for (; least > count; least--) sig__put(out, '0');
    while (count > 0) sig__put(out, digits[--count]);
}

void sig_raw(sig_out *out, const char *json) {
    sig__next(out);
    sig__puts(out, json);
}

void sig_null(sig_out *out) { sig_raw(out, "null"); }
void sig_bool(sig_out *out, bool value) { sig_raw(out, value ? "true" : "false"); }
void sig_object(sig_out *out) { sig_raw(out, "{"); }
void sig_array(sig_out *out) { sig_raw(out, "["); }
void sig_end_object(sig_out *out) { sig__put(out, '}'); }
void sig_end_array(sig_out *out) { sig__put(out, ']'); }

void sig_text(sig_out *out, const char *text) {
    sig__next(out);
    sig__quoted(out, text);
}

void sig_key(sig_out *out, const char *key) {
    sig_text(out, key);
    sig__put(out, ':');
}

void sig_int(sig_out *out, int64_t value) { sig_fixed(out, value, 0); }

void sig_fixed(sig_out *out, int64_t value, unsigned digits) {
    uint64_t size = value < 0 ? 0u - (uint64_t)value : (uint64_t)value, ten = 1;
    unsigned i;
    if (digits > 9) digits = 9;
    for (i = 0; i < digits; i++) ten *= 10;
    sig__next(out);
    if (value < 0) sig__put(out, '-');
    sig__unsigned(out, size / ten, 1);
    if (digits > 0) {
        sig__put(out, '.');
        sig__unsigned(out, size % ten, digits);
    }
}

void sig_decimal(sig_out *out, double value, unsigned digits) {
    unsigned i;
    if (digits > 9) digits = 9;
    for (i = 0; i < digits; i++) value *= 10;
    if (!(value > -9e17 && value < 9e17)) {
        sig_null(out);
        return;
    }
    sig_fixed(out, (int64_t)(value < 0 ? value - 0.5 : value + 0.5), digits);
}

void sig_fail(sig_out *answer, const char *why) {
    answer->failed = false;
    answer->full = answer->mark == 0; /* an event cannot fail */
    answer->len = answer->mark;
    sig_key(answer, "error");
    answer->start = answer->len;
    sig__quoted(answer, why);
    answer->failed = true;
}

/* Whether one value was written. Nothing is null. */
static bool sig__finish(sig_out *out) {
    sig_value value;
    if (out->len == out->start && !out->full) sig__puts(out, "null");
    return !out->full && sig_parse(out->at + out->start, (size_t)(out->len - out->start), &value);
}

static void sig__close(sig_out *out) { out->at[out->len++] = '}'; }

/* ---- sending ---- */

static void sig__write(sig_sensor *s, const void *bytes, size_t count) {
    if (count > 0) s->board->write(s->board->user, (const uint8_t *)bytes, count);
}

static void sig__turn(sig_sensor *s, bool talking) {
    if (s->board->turn != NULL) s->board->turn(s->board->user, talking);
}

/* Head, body and checksum as one row of bytes. */
typedef struct sig__row {
    const char *part[3];
    size_t len[3];
} sig__row;

static uint8_t sig__row_at(const sig__row *row, size_t i) {
    unsigned part = 0;
    while (i >= row->len[part]) i -= row->len[part++];
    return (uint8_t)row->part[part][i];
}

static void sig__write_frame(sig_sensor *s, const sig__row *row) {
    size_t at = 0, all = row->len[0] + row->len[1] + row->len[2];
    uint8_t stage[32];
    size_t staged = 0;
    bool more = true;
    stage[staged++] = 0;
    while (more) {
        size_t run = 0, i;
        while (run < 254 && at + run < all && sig__row_at(row, at + run) != 0) run++;
        for (i = 0; i <= run; i++) { /* the length of the block, and the block */
            if (staged == sizeof stage) {
                sig__write(s, stage, staged);
                staged = 0;
            }
            stage[staged++] = i == 0 ? (uint8_t)(run + 1) : sig__row_at(row, at + i - 1);
        }
        at += run;
        more = at < all;
        if (run < 254 && more) at++; /* the zero that the end of the block stands for */
    }
    sig__write(s, stage, staged);
    stage[0] = 0;
    sig__write(s, stage, 1);
}

/* Sends the document `{"n":..,BODY`. */
static void sig__say(sig_sensor *s, const char *body, size_t len, bool apart) {
    char head_text[20], tail[12];
    sig_out head, end;
    sig__row row;
    uint32_t crc;
    unsigned i;
    sig__begin(&head, head_text, sizeof head_text);
    sig__puts(&head, "{\"n\":");
    sig__unsigned(&head, s->n++, 1);
    sig__put(&head, ',');
    row.part[0] = head_text;
    row.len[0] = head.len;
    row.part[1] = body;
    row.len[1] = len;
    row.part[2] = tail;
    sig__turn(s, true);
    if (s->board->dialect == SIG_FRAMES) {
        crc = sig__crc(SIG__CRC32C, sig__crc(SIG__CRC32C, 0, head_text, head.len), body, len);
        for (i = 0; i < 4; i++) tail[i] = (char)(uint8_t)(crc >> (8 * i));
        row.len[2] = 4;
        sig__write_frame(s, &row);
    } else {
        sig__begin(&end, tail, sizeof tail);
        if (s->board->dialect == SIG_LINES_CRC) {
            crc = sig__crc(SIG__CRC32, sig__crc(SIG__CRC32, 0, head_text, head.len), body, len);
            sig__put(&end, '*');
            for (i = 0; i < 8; i++) sig__put(&end, "0123456789ABCDEF"[crc >> (28 - 4 * i) & 15]);
        }
        sig__put(&end, '\n');
        if (apart) sig__write(s, "\n", 1); /* from whatever a boot loader left unfinished */
        sig__write(s, head_text, head.len);
        sig__write(s, body, len);
        sig__write(s, tail, end.len);
    }
    sig__turn(s, false);
}

bool sig_hello(sig_sensor *s) {
    const char *const *event = s->board->events;
    const sig_method *method = s->board->methods;
    sig_out *out = &s->tx;
    sig__begin(out, s->tx_text, sizeof s->tx_text);
    sig_key(out, "hello");
    sig_text(out, s->board->name);
    if (event != NULL) {
        sig_key(out, "events");
        sig_array(out);
        for (; *event != NULL; event++) sig_text(out, *event);
        sig_end_array(out);
    }
    if (method != NULL) {
        sig_key(out, "requests");
        sig_array(out);
        for (; method->name != NULL; method++) sig_text(out, method->name);
        sig_end_array(out);
    }
    if (out->full) return false;
    sig__close(out);
    sig__say(s, s->tx_text, out->len, true);
    return true;
}

sig_out *sig_event(sig_sensor *s, const char *event) {
    sig_out *out = &s->tx;
    sig__begin(out, s->tx_text, sizeof s->tx_text);
    sig_key(out, "event");
    sig_text(out, event);
    sig_key(out, "data");
    out->start = out->len;
    return out;
}

bool sig_send(sig_sensor *s) {
    if (!sig__finish(&s->tx)) {
        s->n++; /* it is missed, and that shows */
        return false;
    }
    sig__close(&s->tx);
    sig__say(s, s->tx_text, s->tx.len, false);
    return true;
}

bool sig_event_null(sig_sensor *s, const char *event) {
    sig_null(sig_event(s, event));
    return sig_send(s);
}

bool sig_event_bool(sig_sensor *s, const char *event, bool value) {
    sig_bool(sig_event(s, event), value);
    return sig_send(s);
}

bool sig_event_int(sig_sensor *s, const char *event, int64_t value) { return sig_event_fixed(s, event, value, 0); }

bool sig_event_fixed(sig_sensor *s, const char *event, int64_t value, unsigned digits) {
    sig_fixed(sig_event(s, event), value, digits);
    return sig_send(s);
}

bool sig_event_decimal(sig_sensor *s, const char *event, double value, unsigned digits) {
    sig_decimal(sig_event(s, event), value, digits);
    return sig_send(s);
}

bool sig_event_text(sig_sensor *s, const char *event, const char *text) {
    sig_text(sig_event(s, event), text);
    return sig_send(s);
}

void sig_log(sig_sensor *s, const char *text) {
    size_t len = 0;
    char first = *text;
    while (text[len] != 0) len++;
    sig__turn(s, true);
    /* A line that begins like a document would be one. */
    if (first == '{' || first == '-' || first == '+' || first == '.' || sig__digit(first)) sig__write(s, "# ", 2);
    sig__write(s, text, len);
    sig__write(s, "\n", 1);
    sig__turn(s, false);
}

/* ---- receiving ---- */

static void sig__answer_begin(sig_sensor *s) {
    sig_out *out = &s->answer;
    sig__begin(out, s->answer_text, sizeof s->answer_text);
    sig_key(out, "id");
    sig_int(out, s->last_id);
    out->mark = out->len;
    sig_key(out, "response");
    out->start = out->len;
}

static void sig__answer(sig_sensor *s) { sig__say(s, s->answer_text, s->answer.len, false); }

static void sig__call(sig_sensor *s, sig_value name, sig_value params) {
    const sig_method *method = s->board->methods;
    sig_out *out = &s->answer;
    while (method != NULL && method->name != NULL && !sig_text_is(name, method->name)) method++;
    sig__answer_begin(s);
    if (method == NULL || method->name == NULL) {
        sig_fail(out, "no such method");
    } else {
        s->busy = true;
        method->call(s, params, out);
        s->busy = false;
    }
    if (!sig__finish(out)) sig_fail(out, out->full ? "the answer is too long for the board" : "the answer is no JSON");
    sig__close(out);
    sig__answer(s);
}

static void sig__document(sig_sensor *s, const char *text, size_t len) {
    sig_value all, word, method, params;
    int64_t id;
    uint32_t crc;
    if (!sig_parse(text, len, &all)) {
        s->damaged++;
    } else if (sig_member(all, "hello", &word)) { /* a new host, whose ids begin anew */
        s->heard = true;
        s->last_id = 0;
        sig_hello(s);
    } else if (sig_member(all, "id", &word) && sig_as_int(word, &id) && id > 0 && id <= UINT16_MAX &&
               sig_member(all, "method", &method) && sig_kind_of(method) == SIG_TEXT) {
        s->heard = true;
        crc = sig__crc(SIG__CRC32, 0, all.at, all.len);
        if (s->last_id == (uint16_t)id && s->last_crc == crc) {
            sig__answer(s); /* the host did not hear it */
            return;
        }
        s->last_id = (uint16_t)id;
        s->last_crc = crc;
        sig_member(all, "params", &params);
        sig__call(s, method, params);
    } else {
        s->ignored++;
    }
}

#define SIG__HOST_HELLO "{\"hello\":\"sig\"}"

static void sig__line(sig_sensor *s) {
    const char *line = (const char *)s->rx;
    size_t len = s->rx_len, i;
    uint32_t crc = 0;
    bool suffix;
    if (len > 0 && line[len - 1] == '\r') len--;
    if (len == 0) return;
    suffix = len > 9 && line[len - 9] == '*' && sig__hex_number(line + len - 8, 8, &crc);
    if (suffix) {
        len -= 9;
        if (crc != sig__crc(SIG__CRC32, 0, line, len)) {
            s->damaged++;
            return;
        }
    } else if (s->board->dialect == SIG_LINES_CRC) { /* only a host that does not know the board yet writes without */
        for (i = 0; i < len && i < sizeof SIG__HOST_HELLO - 1 && line[i] == SIG__HOST_HELLO[i]; i++) {}
        if (i != len || i != sizeof SIG__HOST_HELLO - 1) {
            s->damaged++;
            return;
        }
    }
    sig__document(s, line, len);
}

static void sig__push(sig_sensor *s, uint8_t byte) {
    if (s->rx_len < SIG_RX_MAX) {
        s->rx[s->rx_len++] = byte;
    } else if (!s->spoilt) {
        s->spoilt = true;
        s->overlong++;
    }
}

static void sig__frame(sig_sensor *s) {
    uint32_t crc = 0;
    size_t len = s->rx_len;
    unsigned i;
    if (s->left > 0 || len < 5) {
        s->damaged++;
        return;
    }
    len -= 4;
    for (i = 0; i < 4; i++) crc |= (uint32_t)s->rx[len + i] << (8 * i);
    if (crc != sig__crc(SIG__CRC32C, 0, s->rx, len)) {
        s->damaged++;
    } else if (s->rx[0] != '{') { /* for a router */
        s->ignored++;
    } else {
        sig__document(s, (const char *)s->rx, len);
    }
}

static void sig__lines_byte(sig_sensor *s, uint8_t byte) {
    if (byte != '\n') {
        sig__push(s, byte);
        return;
    }
    if (!s->spoilt) sig__line(s);
    s->rx_len = 0;
    s->spoilt = false;
}

static void sig__frames_byte(sig_sensor *s, uint8_t byte) {
    /* A host that does not know yet how the board talks asks in plain text. No frame begins like that. */
    static const char asked[] = "\n" SIG__HOST_HELLO "\n";
    s->match = byte == (uint8_t)asked[s->match] ? (uint8_t)(s->match + 1) : byte == '\n' ? 1 : 0;
    if (s->match == sizeof asked - 1) {
        s->match = 1;
        s->begun = s->spoilt = false;
        s->rx_len = s->left = 0;
        sig__document(s, SIG__HOST_HELLO, sizeof SIG__HOST_HELLO - 1);
        return;
    }
    if (byte == 0) {
        if (s->begun && !s->spoilt) sig__frame(s);
        s->begun = s->spoilt = false;
        s->rx_len = 0;
        s->left = 0;
    } else if (s->left > 0) {
        s->left--;
        sig__push(s, byte);
    } else { /* the length of the next block */
        if (s->begun && s->zero) sig__push(s, 0);
        s->begun = true;
        s->zero = byte != 0xFF;
        s->left = (uint8_t)(byte - 1);
    }
}

bool sig_start(sig_sensor *s, const sig_board *board) {
    uint8_t *at = (uint8_t *)s;
    size_t i;
    for (i = 0; i < sizeof *s; i++) at[i] = 0;
    s->board = board;
    return sig_hello(s);
}

void sig_feed(sig_sensor *s, const void *bytes, size_t count) {
    const uint8_t *at = (const uint8_t *)bytes;
    if (s->busy) return;
    for (; count > 0; count--) {
        if (s->board->dialect == SIG_FRAMES) {
            sig__frames_byte(s, *at++);
        } else {
            sig__lines_byte(s, *at++);
        }
    }
}

void sig_tick(sig_sensor *s, uint32_t now_ms) {
    if (!s->ticked) {
        s->ticked = true;
        s->said_ms = now_ms;
    } else if (!s->heard && now_ms - s->said_ms >= SIG_HELLO_MS) {
        s->said_ms = now_ms;
        sig_hello(s);
    }
}

#ifdef __cplusplus
}
#endif
#endif
