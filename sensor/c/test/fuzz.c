/* Feeds sig_sensor.h with what a line may bring, and looks for calls that nobody made.
 *
 * With libFuzzer:    clang -g -O1 -fsanitize=fuzzer,address,undefined fuzz.c
 * Without:           gcc -g -O1 -fsanitize=address,undefined -DSIG_FUZZ_MAIN fuzz.c && ./a.out SECONDS [SEED]
 *
 * The first byte of an input picks the dialect, the second how the rest is cut into pieces. */
#include "check.h"
#include <time.h>

/* The oracle: an own, slow reading of everything that came, to count what may have been a request at most. */

static size_t plain_lines(const uint8_t *bytes, size_t len, bool sums) {
    size_t count = 0, begin = 0, at;
    for (at = 0; at < len; at++) {
        size_t end = at;
        if (bytes[at] != '\n') continue;
        if (end > begin && bytes[end - 1] == '\r') end--;
        if (!sums) {
            count += end > begin && end - begin <= SIG_RX_MAX;
        } else if (end - begin > 9 && bytes[end - 9] == '*') {
            char text[9];
            char *rest;
            unsigned long sum;
            memcpy(text, bytes + end - 8, 8);
            text[8] = 0;
            sum = strtoul(text, &rest, 16);
            count += rest == text + 8 && sum == sig__crc(SIG__CRC32, 0, bytes + begin, end - begin - 9);
        }
        begin = at + 1;
    }
    return count;
}

static size_t frame_is_whole(const uint8_t *bytes, size_t len) {
    uint8_t plain[1 << 13];
    size_t used = 0, at = 0;
    if (len > sizeof plain) return 0;
    while (at < len) {
        size_t code = bytes[at++], i;
        if (at + code - 1 > len) return 0;
        for (i = 1; i < code; i++) plain[used++] = bytes[at++];
        if (code < 0xFF && at < len) plain[used++] = 0;
    }
    return used > 4 && plain[0] == '{' && sig__crc(SIG__CRC32C, 0, plain, used) == 0x48674BC7u;
}

/* A plain hello of the host begins anew, in the middle of whatever. */
static size_t whole_frames(const uint8_t *bytes, size_t len) {
    static const char hello[] = "\n{\"hello\":\"sig\"}\n";
    size_t count = 0, begin = 0, at;
    for (at = 0; at < len; at++) {
        size_t size = sizeof hello - 1;
        if (at + 1 >= size && memcmp(bytes + at + 1 - size, hello, size) == 0) begin = at + 1;
        if (bytes[at] != 0) continue;
        count += frame_is_whole(bytes + begin, at - begin);
        begin = at + 1;
    }
    return count;
}

/* Whatever the board says is a document that it means, in its dialect. */
static void check_said(sig_dialect dialect, uint32_t documents) {
    uint32_t count = 0;
    size_t begin = 0, at;
    for (at = 0; at < line_len; at++) {
        sig_value value, n;
        int64_t number;
        size_t end = at;
        if (line[at] != (dialect == SIG_FRAMES ? 0 : '\n')) continue;
        if (end > begin) {
            if (dialect == SIG_FRAMES) {
                CHECK(frame_is_whole(line + begin, end - begin));
            } else {
                if (dialect == SIG_LINES_CRC) {
                    CHECK(plain_lines(line + begin, end + 1 - begin, true) == 1);
                    end -= 9;
                }
                CHECK(sig_parse((const char *)line + begin, end - begin, &value));
                CHECK(sig_member(value, "n", &n) && sig_as_int(n, &number) && number == (int64_t)count);
            }
            count++;
        }
        begin = at + 1;
    }
    CHECK(begin == line_len && count == documents);
}

/* Asks a value everything. */
static void read_all(sig_value value, unsigned depth) {
    char text[40];
    bool yes;
    int64_t whole;
    double real;
    sig_value part;
    size_t i;
    sig_as_bool(value, &yes);
    sig_as_int(value, &whole);
    sig_as_double(value, &real);
    sig_as_text(value, text, sizeof text);
    CHECK(sig_kind_of(value) != SIG_NONE);
    for (i = 0; depth > 0 && sig_item(value, i, &part); i++) read_all(part, depth - 1);
    if (depth > 0 && (sig_member(value, "a", &part) || sig_member(value, "", &part))) read_all(part, depth - 1);
}

/* Where the sanitizer sees the edges. */
static uint8_t *copied(const uint8_t *bytes, size_t len) {
    uint8_t *copy = (uint8_t *)malloc(len > 0 ? len : 1);
    CHECK(copy != NULL);
    memcpy(copy, bytes, len);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    sig_dialect dialect;
    sig_board board;
    sig_sensor *s;
    sig_value value;
    uint8_t *exact;
    size_t at, piece, most;
    if (len < 2 || len > 4096) return 0;
    dialect = (sig_dialect)(bytes[0] % 3);
    piece = bytes[1] + 1u;
    bytes += 2;
    len -= 2;
    board = board_of(dialect);
    s = (sig_sensor *)malloc(sizeof *s);
    CHECK(s != NULL);
    sig_start(s, &board);
    for (at = 0; at < len; at += piece) {
        size_t rest = len - at < piece ? len - at : piece;
        exact = copied(bytes + at, rest);
        sig_feed(s, exact, rest);
        free(exact);
    }
    most = dialect == SIG_FRAMES ? whole_frames(bytes, len) : plain_lines(bytes, len, dialect == SIG_LINES_CRC);
    CHECK(calls <= most);
    check_said(dialect, s->n);
    free(s);
    exact = copied(bytes, len);
    if (sig_parse((const char *)exact, len, &value)) read_all(value, 4);
    free(exact);
    return 0;
}

#ifdef SIG_FUZZ_MAIN

static uint64_t state;

static uint32_t dice(uint32_t sides) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545F4914F6CDD1Du) >> 33) % sides;
}

/* COBS of the text and its checksum, without an end. */
static size_t framed(const char *text, size_t len, uint8_t *to) {
    uint8_t plain[600];
    size_t used = 1, code = 0, at;
    uint32_t crc = sig__crc(SIG__CRC32C, 0, text, len);
    memcpy(plain, text, len);
    for (at = 0; at < 4; at++) plain[len + at] = (uint8_t)(crc >> (8 * at));
    to[0] = 1;
    for (at = 0; at < len + 4; at++) {
        if (plain[at] != 0) {
            to[used++] = plain[at];
            to[code]++;
        }
        if (plain[at] == 0 || (to[code] == 0xFF && at + 1 < len + 4)) {
            code = used++;
            to[code] = 1;
        }
    }
    return used;
}

/* Words that make documents, or nearly. */
static size_t document(char *to) {
    static const char *const words[] = {
        "{\"id\":7,\"method\":\"echo\",\"params\":", "{\"id\":8,\"method\":\"add\",\"params\":[1,2]}", "true", "\"\\u00e4\\ud83d\\ude00\"",
        "{\"hello\":\"sig\"}", "{\"id\":9,\"method\":\"shout\",\"params\":\"hi\"}", "[", "]", "{", "}", "\"a\":", "1", ",", "-1.5e300", "\"",
        "\\u12", "\xc3\xa4", "null", "{\"id\":10,\"method\":\"flood\"}", "{\"id\":11,\"method\":\"break\"}", " ", "\xff", "12345678901234567890"};
    size_t used = 0;
    uint32_t count = 1 + dice(dice(8) == 0 ? 30 : 4);
    if (dice(2) == 0) return (size_t)sprintf(to, "{\"id\":%u,\"method\":\"echo\",\"params\":%s}", dice(70000), words[dice(10)]);
    for (; count > 0; count--) {
        const char *word = words[dice(sizeof words / sizeof *words)];
        size_t len = strlen(word);
        if (used + len > 500) break;
        memcpy(to + used, word, len);
        used += len;
    }
    return used;
}

static size_t input(uint8_t *to) {
    size_t used = 2;
    uint32_t count = 1 + dice(6);
    to[0] = (uint8_t)dice(3);
    to[1] = (uint8_t)dice(256);
    for (; count > 0 && used < 3000; count--) {
        char text[512];
        size_t len = document(text), i;
        if (to[0] == SIG_FRAMES && dice(8) > 0) {
            to[used++] = 0;
            used += framed(text, len, to + used);
            to[used++] = 0;
        } else {
            memcpy(to + used, text, len);
            used += len;
            if (to[0] == SIG_LINES_CRC && dice(8) > 0) {
                used += (size_t)sprintf((char *)to + used, "*%08lX", (unsigned long)sig__crc(SIG__CRC32, 0, text, len));
            }
            to[used++] = '\n';
        }
        for (i = dice(3) == 0 ? dice(4) : 0; i > 0; i--) { /* what a bad line does */
            size_t at = 2 + dice((uint32_t)(used - 2));
            switch (dice(3)) {
            case 0: to[at] ^= (uint8_t)(1 << dice(8)); break;
            case 1: memmove(to + at, to + at + 1, --used - at); break;
            default:
                memmove(to + at + 1, to + at, used++ - at);
                to[at] = (uint8_t)dice(256);
            }
            if (used <= 3) break;
        }
    }
    return used;
}

int main(int count, char **args) {
    static uint8_t bytes[8192];
    time_t end = time(NULL) + (count > 1 ? atoi(args[1]) : 5);
    unsigned long runs = 0, called = 0;
    state = count > 2 ? strtoull(args[2], NULL, 10) : 1;
    if (state == 0) state = 1;
    do {
        unsigned i;
        for (i = 0; i < 1000; i++, runs++) {
            LLVMFuzzerTestOneInput(bytes, input(bytes));
            called += calls;
        }
    } while (time(NULL) < end);
    CHECK(called > runs / 10); /* or it would fuzz nothing but the front door */
    printf("%lu inputs, %lu calls\n", runs, called);
    return 0;
}
#endif
