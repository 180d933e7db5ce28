/* What sig_sensor.h promises. Build with the sanitizers; it prints what it did, or aborts. */
#include "check.h"

#define HELLO "\"hello\":\"oven\",\"events\":[\"temp\",\"shout\"],\"requests\":[\"echo\",\"add\",\"shout\",\"flood\",\"break\"]}"

static void checksums_are_the_standard_ones(void) {
    CHECK(sig__crc(SIG__CRC32, 0, "123456789", 9) == 0xCBF43926u);
    CHECK(sig__crc(SIG__CRC32C, 0, "123456789", 9) == 0xE3069283u);
    CHECK(sig__crc(SIG__CRC32, sig__crc(SIG__CRC32, 0, "1234", 4), "56789", 5) == 0xCBF43926u);
}

static void json_is_read_as_it_is(void) {
    static const char *const good[] = {
        "null", "true", "false", "0", "-0", "1.5e+9", "\"\"", "\"\\u00e4\\ud83d\\ude00\xc3\xa4\"", "{}", "[]", " [ ] ",
        "{\"a\":{\"b\":[1,2,{\"c\":null}]},\"d\":\"]}\"}", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "[1 , 2\n,\t3]", NULL};
    static const char *const bad[] = {
        "", " ", "nul", "truex", "01", "-", "1.", ".5", "1e", "+1", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\n\"", "\"\xff\"",
        "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "{", "[", "]", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{a:1}", "{\"a\":1]", "[1}", "1 2", "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "nan", "'a'",
        "\"\xc3", "\"\xf0\x9f\x98", "\"\\", "\"\\u123", "t", "[1,", "{\"a\":", NULL};
    sig_value value;
    int i;
    for (i = 0; good[i] != NULL; i++) CHECK(sig_parse(good[i], strlen(good[i]), &value));
    for (i = 0; bad[i] != NULL; i++) {
        size_t len = strlen(bad[i]);
        char *exact = (char *)malloc(len + 1); /* for the sanitizer: nothing is read behind it */
        CHECK(exact != NULL);
        memcpy(exact + 1, bad[i], len);
        if (sig_parse(exact + 1, len, &value)) fprintf(stderr, "taken: %s\n", bad[i]), abort();
        free(exact);
    }
}

static sig_value parsed(const char *text) {
    sig_value value;
    CHECK(sig_parse(text, strlen(text), &value));
    return value;
}

static void numbers_and_texts_are_taken_out(void) {
    int64_t whole = 0;
    double real = 0;
    char text[8];
    bool yes = false;
    sig_value value;
    CHECK(sig_as_int(parsed("-42"), &whole) && whole == -42);
    CHECK(sig_as_int(parsed("9223372036854775807"), &whole) && whole == INT64_MAX);
    CHECK(sig_as_int(parsed("-9223372036854775808"), &whole) && whole == INT64_MIN);
    CHECK(!sig_as_int(parsed("9223372036854775808"), &whole) && !sig_as_int(parsed("-9223372036854775809"), &whole));
    CHECK(!sig_as_int(parsed("1.0"), &whole) && !sig_as_int(parsed("1e2"), &whole) && !sig_as_int(parsed("\"1\""), &whole));
    CHECK(sig_as_double(parsed("21.5"), &real) && real > 21.49999 && real < 21.50001);
    CHECK(sig_as_double(parsed("-1.25e-2"), &real) && real > -0.0125001 && real < -0.0124999);
    CHECK(sig_as_double(parsed("3e99999999999"), &real) && real > 1e308);
    CHECK(sig_as_double(parsed("3e-99999999999"), &real) && real < 1e-300);
    CHECK(sig_as_double(parsed("123456789012345678901234567890"), &real) && real > 1.2e29 && real < 1.3e29);
    CHECK(sig_as_bool(parsed("true"), &yes) && yes && !sig_as_bool(parsed("1"), &yes));
    CHECK(sig_as_text(parsed("\"a\\n\\u00e4\""), text, sizeof text) && strcmp(text, "a\n\xc3\xa4") == 0);
    CHECK(sig_as_text(parsed("\"\\ud83d\\ude00\""), text, sizeof text) && strcmp(text, "\xf0\x9f\x98\x80") == 0);
    CHECK(sig_as_text(parsed("\"\\ud83d\""), text, sizeof text) && strcmp(text, "\xef\xbf\xbd") == 0);
    CHECK(sig_as_text(parsed("\"1234567\""), text, sizeof text) && !sig_as_text(parsed("\"12345678\""), text, sizeof text));
    CHECK(!sig_as_text(parsed("\"\\u0000\""), text, sizeof text) && !sig_as_text(parsed("1"), text, sizeof text));
    value = parsed("{\"a\":[1,\"x\",{\"b\":2}],\"\\u0062\":3,\"a2\":4,\"b\":5}");
    CHECK(sig_member(value, "b", &value) && sig_as_int(value, &whole) && whole == 5);
    value = parsed("{\"a\":[1,\"x\",{\"b\":2}]}");
    CHECK(!sig_member(value, "b", &value) && value.len == 0 && sig_kind_of(value) == SIG_NONE);
    value = parsed("{\"a\":[1,\"x\",{\"b\":2}]}");
    CHECK(sig_member(value, "a", &value) && sig_item(value, 2, &value) && sig_member(value, "b", &value));
    CHECK(sig_as_int(value, &whole) && whole == 2);
    CHECK(!sig_item(parsed("[1,2]"), 2, &value) && !sig_item(parsed("{}"), 0, &value) && !sig_member(parsed("[]"), "a", &value));
}

static void events_are_lines(void) {
    sig_board board = board_of(SIG_LINES);
    sig_sensor s;
    sig_out *out;
    CHECK(sig_start(&s, &board));
    SAYS("\n{\"n\":0," HELLO "\n");
    CHECK(sig_event_decimal(&s, "temp", 21.46, 1) && sig_event_int(&s, "temp", INT64_MIN) && sig_event_bool(&s, "temp", false));
    SAYS("{\"n\":1,\"event\":\"temp\",\"data\":21.5}\n{\"n\":2,\"event\":\"temp\",\"data\":-9223372036854775808}\n"
         "{\"n\":3,\"event\":\"temp\",\"data\":false}\n");
    CHECK(sig_event_text(&s, "a\"b", "\xc3\xa4\n\\\x01\xff") && sig_event_null(&s, "x"));
    SAYS("{\"n\":4,\"event\":\"a\\\"b\",\"data\":\"\xc3\xa4\\u000a\\\\\\u0001\\ufffd\"}\n{\"n\":5,\"event\":\"x\",\"data\":null}\n");
    out = sig_event(&s, "temp");
    sig_object(out);
    sig_key(out, "list");
    sig_array(out);
    sig_fixed(out, -5, 2);
    sig_decimal(out, -0.04, 1);
    sig_decimal(out, 1e300 * 1e300, 1);
    sig_array(out);
    sig_end_array(out);
    sig_text(out, "[");
    sig_raw(out, "{\"z\":1}");
    sig_end_array(out);
    sig_key(out, "empty");
    sig_object(out);
    sig_end_object(out);
    sig_end_object(out);
    CHECK(sig_send(&s));
    SAYS("{\"n\":6,\"event\":\"temp\",\"data\":{\"list\":[-0.05,0.0,null,[],\"[\",{\"z\":1}],\"empty\":{}}}\n");
    (void)sig_event(&s, "nothing");
    CHECK(sig_send(&s));
    SAYS("{\"n\":7,\"event\":\"nothing\",\"data\":null}\n");
    sig_log(&s, "hot");
    sig_log(&s, "{\"temp\":1}");
    SAYS("hot\n# {\"temp\":1}\n");
}

/* What cannot be sent is not sent half, and its number is used up. */
static void what_does_not_fit_shows_as_missed(void) {
    sig_board board = board_of(SIG_LINES);
    char large[SIG_TX_MAX + 1];
    sig_sensor s;
    size_t most;
    sig_start(&s, &board);
    (void)said();
    memset(large, 'x', sizeof large);
    for (most = sizeof large - 1; most > 0; most--) {
        large[most] = 0;
        if (sig_event_text(&s, "e", large)) break;
        CHECK(line_len == 0);
        large[most] = 'x';
    }
    CHECK(most == SIG_TX_MAX - strlen("\"event\":\"e\",\"data\":\"\"}"));
    CHECK(s.n == 2 + SIG_TX_MAX - most); /* the hello, the good one and the bad ones */
    (void)said();
    sig_raw(sig_event(&s, "e"), "[1");
    CHECK(!sig_send(&s) && line_len == 0);
    sig_fail(sig_event(&s, "e"), "an event cannot");
    CHECK(!sig_send(&s) && line_len == 0);
}

static void requests_are_answered(void) {
    sig_board board = board_of(SIG_LINES);
    sig_sensor s;
    sig_start(&s, &board);
    (void)said();
    feed(&s, "{\"id\":1,\"method\":\"echo\",\"params\":{\"a\":[1,\"\\n\"]}}\r\n");
    SAYS("{\"n\":1,\"id\":1,\"response\":{\"a\":[1,\"\\n\"]}}\n");
    feed(&s, "{\"id\":2,\"method\":\"echo\"}\n\n\r\n");
    SAYS("{\"n\":2,\"id\":2,\"response\":null}\n");
    feed(&s, " { \"params\" : [2,40], \"method\":\"\\u0061dd\", \"id\" : 65535 } \n");
    SAYS("{\"n\":3,\"id\":65535,\"response\":42}\n");
    feed(&s, "{\"id\":3,\"method\":\"add\",\"params\":[2]}\n");
    SAYS("{\"n\":4,\"id\":3,\"error\":\"add wants two small numbers\"}\n");
    feed(&s, "{\"id\":4,\"method\":\"sing\"}\n");
    SAYS("{\"n\":5,\"id\":4,\"error\":\"no such method\"}\n");
    feed(&s, "{\"id\":5,\"method\":\"shout\",\"params\":\"ho\"}\n");
    SAYS("{\"n\":6,\"event\":\"shout\",\"data\":\"ho\"}\n{\"n\":7,\"id\":5,\"response\":{\"shouted\":\"ho\"}}\n");
    feed(&s, "{\"id\":6,\"method\":\"flood\"}\n{\"id\":7,\"method\":\"break\"}\n");
    SAYS("{\"n\":8,\"id\":6,\"error\":\"the answer is too long for the board\"}\n{\"n\":9,\"id\":7,\"error\":\"the answer is no JSON\"}\n");
    CHECK(calls == 7 && s.ignored == 0 && s.damaged == 0);
    feed(&s, "{\"id\":0,\"method\":\"echo\"}\n{\"id\":65536,\"method\":\"echo\"}\n{\"id\":1}\n{\"method\":\"echo\"}\n[]\n7\nhallo\n");
    SAYS("");
    CHECK(calls == 7 && s.ignored == 6 && s.damaged == 1);
}

static void a_repeated_request_is_executed_once(void) {
    sig_board board = board_of(SIG_LINES);
    sig_sensor s;
    sig_start(&s, &board);
    (void)said();
    feed(&s, "{\"id\":7,\"method\":\"add\",\"params\":[1,2]}\n{\"id\":7,\"method\":\"add\",\"params\":[1,2]}\n");
    SAYS("{\"n\":1,\"id\":7,\"response\":3}\n{\"n\":2,\"id\":7,\"response\":3}\n");
    CHECK(calls == 1);
    sig_event_int(&s, "temp", 1); /* does not touch the answer */
    (void)said();
    feed(&s, "{\"id\":7,\"method\":\"add\",\"params\":[1,2]}\n");
    SAYS("{\"n\":4,\"id\":7,\"response\":3}\n");
    feed(&s, "{\"id\":7,\"method\":\"add\",\"params\":[2,2]}\n"); /* somebody else's 7 */
    SAYS("{\"n\":5,\"id\":7,\"response\":4}\n");
    CHECK(calls == 2);
    feed(&s, "{\"hello\":\"sig\"}\n{\"id\":7,\"method\":\"add\",\"params\":[2,2]}\n"); /* a new host */
    SAYS("\n{\"n\":6," HELLO "\n{\"n\":7,\"id\":7,\"response\":4}\n");
    CHECK(calls == 3);
}

/* The line with its checksum. */
static const char *summed(const char *text) {
    static char line_text[512];
    snprintf(line_text, sizeof line_text, "%s*%08lx\n", text, (unsigned long)sig__crc(SIG__CRC32, 0, text, strlen(text)));
    return line_text;
}

static void damage_is_noticed(void) {
    static const char request[] = "{\"id\":1,\"method\":\"echo\",\"params\":true}";
    sig_board board = board_of(SIG_LINES_CRC);
    sig_sensor s;
    size_t i;
    uint32_t damaged = 0;
    sig_start(&s, &board);
    CHECK(strstr(said(), "]}*") != NULL);
    feed(&s, summed(request));
    SAYS("{\"n\":1,\"id\":1,\"response\":true}*6B5F338E\n");
    for (i = 0; i < strlen(summed(request)) - 1; i++) { /* each bit of it */
        int bit;
        for (bit = 0; bit < 8; bit++) {
            char text[128];
            strcpy(text, summed(request));
            text[i] = (char)(text[i] ^ (1 << bit));
            feed(&s, text);
            feed(&s, "\n");
            if (s.damaged > damaged) {
                SAYS("");
            } else { /* lower and upper case, and a line's end in the middle of a line */
                CHECK((i > sizeof request - 1 && bit == 5) || text[i] == '\n');
                (void)said();
            }
            damaged = s.damaged;
        }
    }
    CHECK(calls == 1);
    feed(&s, request);
    feed(&s, "\n");
    feed(&s, "{\"hello\":\"sig\",\"more\":1}\n");
    SAYS("");
    feed(&s, "\n{\"hello\":\"sig\"}\n");
    CHECK(strstr(said(), "\"hello\":\"oven\"") != NULL);
    feed(&s, summed("{\"hello\":\"sig\"}"));
    CHECK(strstr(said(), "\"hello\":\"oven\"") != NULL);
}

static void what_is_too_long_is_dropped_whole(void) {
    sig_board board = board_of(SIG_LINES);
    sig_sensor s;
    int i;
    sig_start(&s, &board);
    (void)said();
    for (i = 0; i < 1000; i++) feed(&s, "{\"id\":1,\"method\":\"echo\"}");
    feed(&s, "{\"id\":1,\"method\":\"echo\"}\n");
    SAYS("");
    feed(&s, "{\"id\":1,\"method\":\"echo\"}");
    for (i = 0; i < SIG_RX_MAX; i++) feed(&s, " ");
    feed(&s, "and more\n"); /* what there is room for would be a request */
    SAYS("");
    CHECK(s.overlong == 2 && calls == 0);
    feed(&s, "{\"id\":1,\"method\":\"echo\"}\n");
    SAYS("{\"n\":1,\"id\":1,\"response\":null}\n");
}

/* COBS by the book, apart from the header's own. */
static size_t frame_of(const void *body, size_t len, uint8_t *to) {
    uint8_t plain[2048];
    size_t at = 0, used = 0, code, i;
    uint32_t crc = sig__crc(SIG__CRC32C, 0, body, len);
    memcpy(plain, body, len);
    for (i = 0; i < 4; i++) plain[len++] = (uint8_t)(crc >> (8 * i));
    to[used++] = 0;
    code = used++;
    to[code] = 1;
    for (; at < len; at++) {
        if (plain[at] != 0) {
            to[used++] = plain[at];
            to[code]++;
        }
        if (plain[at] == 0 || (to[code] == 0xFF && at + 1 < len)) {
            code = used++;
            to[code] = 1;
        }
    }
    to[used++] = 0;
    return used;
}

/* The documents of the frames that were said, each on a line. */
static const char *unframed(void) {
    static char text[8192];
    size_t used = 0, at = 0;
    while (at < line_len) {
        uint8_t plain[4096];
        size_t len = 0;
        CHECK(line[at] == 0);
        at++;
        while (line[at] != 0) {
            size_t code = line[at++], i;
            for (i = 1; i < code; i++) {
                CHECK(line[at] != 0);
                plain[len++] = line[at++];
            }
            if (code < 0xFF && line[at] != 0) plain[len++] = 0;
        }
        at++;
        CHECK(len > 4 && len - 4 + 2 < sizeof text - used);
        CHECK(sig__crc(SIG__CRC32C, 0, plain, len) == 0x48674BC7u); /* the residue of a frame that is whole */
        memcpy(text + used, plain, len - 4);
        used += len - 4;
        text[used++] = '\n';
    }
    text[used] = 0;
    line_len = 0;
    return text;
}

static void feed_frame(sig_sensor *s, const char *text) {
    uint8_t frame[2048];
    sig_feed(s, frame, frame_of(text, strlen(text), frame));
}

static void frames_carry_the_same(void) {
    sig_board board = board_of(SIG_FRAMES);
    uint8_t frame[512];
    sig_sensor s;
    size_t len, i;
    uint32_t damaged;
    char text[SIG_TX_MAX];
    sig_start(&s, &board);
    CHECK(strcmp(unframed(), "{\"n\":0," HELLO "\n") == 0);
    feed_frame(&s, "{\"id\":1,\"method\":\"add\",\"params\":[1,2]}");
    feed_frame(&s, "{\"id\":1,\"method\":\"add\",\"params\":[1,2]}");
    feed_frame(&s, "{\"id\":2,\"method\":\"sing\"}");
    CHECK(strcmp(unframed(), "{\"n\":1,\"id\":1,\"response\":3}\n{\"n\":2,\"id\":1,\"response\":3}\n"
                             "{\"n\":3,\"id\":2,\"error\":\"no such method\"}\n") == 0);
    feed_frame(&s, "\x93sig");
    CHECK(s.ignored == 1 && s.damaged == 0 && calls == 1 && line_len == 0);
    for (i = 200; i < 290; i++) { /* blocks of 254 bytes end in all places */
        memset(text, 'y', i);
        text[i] = 0;
        CHECK(sig_event_text(&s, "temp", text));
        CHECK(strstr(unframed(), text) != NULL);
    }
    for (i = 150; i < 260; i++) { /* and in the other direction */
        char request[2 * SIG_RX_MAX];
        text[i] = 0;
        snprintf(request, sizeof request, "{\"id\":%u,\"method\":\"add\",\"params\":[1,2],\"x\":\"%s\"}", (unsigned)i, text);
        text[i] = 'y';
        feed_frame(&s, request);
        CHECK(strstr(unframed(), "\"response\":3}") != NULL);
    }
    CHECK(s.damaged == 0 && calls == 111);
    calls = 1;
    len = frame_of("{\"id\":3,\"method\":\"echo\"}", 24, frame);
    for (i = 1; i < len - 1; i++) { /* every bit, every loss of a byte */
        int bit;
        for (bit = 0; bit <= 8; bit++) {
            uint8_t hurt[512];
            memcpy(hurt, frame, len);
            if (bit < 8) {
                hurt[i] ^= (uint8_t)(1 << bit);
                sig_feed(&s, hurt, len);
            } else {
                sig_feed(&s, hurt, i);
                sig_feed(&s, hurt + i + 1, len - i - 1);
            }
            CHECK(line_len == 0);
        }
    }
    CHECK(calls == 1 && s.damaged >= 9 * (len - 2));
    sig_feed(&s, "boot text, \n half a frame \x07zz", 30);
    sig_feed(&s, frame, len);
    CHECK(calls == 2);
    (void)unframed();
    feed(&s, "noise\n{\"hello\":\"sig\"}\n"); /* a host that knows no better */
    CHECK(strstr(unframed(), HELLO) != NULL);
    feed_frame(&s, "{\"hello\":\"sig\"}");
    CHECK(strstr(unframed(), HELLO) != NULL);
    damaged = s.damaged;
    for (i = 0; i < 4 * SIG_RX_MAX; i++) feed(&s, "\x05zzzz");
    sig_feed(&s, "", 1);
    CHECK(s.overlong == 1 && s.damaged == damaged);
    sig_feed(&s, frame, len);
    CHECK(calls == 3);
}

static void a_board_without_a_host_repeats_its_hello(void) {
    sig_board board = board_of(SIG_LINES);
    sig_sensor s;
    uint32_t now = UINT32_MAX - 3000;
    sig_start(&s, &board);
    (void)said();
    sig_tick(&s, now);
    sig_tick(&s, now + SIG_HELLO_MS - 1);
    SAYS("");
    sig_tick(&s, now + SIG_HELLO_MS);
    SAYS("\n{\"n\":1," HELLO "\n");
    sig_tick(&s, now + SIG_HELLO_MS + 1);
    SAYS("");
    feed(&s, "{\"hello\":\"sig\"}\n");
    SAYS("\n{\"n\":2," HELLO "\n");
    sig_tick(&s, now + 10 * SIG_HELLO_MS);
    SAYS("");
}

static void a_long_hello_is_refused(void) {
    static char name[SIG_TX_MAX];
    sig_board board = {name, NULL, NULL, SIG_LINES, line_write, NULL, NULL};
    sig_sensor s;
    memset(name, 'n', sizeof name - 1);
    line_len = 0;
    CHECK(!sig_start(&s, &board) && line_len == 0);
    name[5] = 0;
    talking = true; /* nobody turns this line */
    CHECK(sig_start(&s, &board));
    SAYS("\n{\"n\":0,\"hello\":\"nnnnn\"}\n");
    feed(&s, "{\"id\":1,\"method\":\"x\"}\n");
    SAYS("{\"n\":1,\"id\":1,\"error\":\"no such method\"}\n");
    talking = false;
}

/* The host goes in the middle of anything, and another comes; a thousand times. */
static void a_thousand_hosts_come_and_go(sig_dialect dialect) {
    static const char request[] = "{\"id\":1,\"method\":\"add\",\"params\":[1,2]}";
    sig_board board = board_of(dialect);
    uint8_t bytes[256];
    size_t len;
    sig_sensor s;
    unsigned host;
    if (dialect == SIG_FRAMES) {
        len = frame_of(request, strlen(request), bytes);
    } else {
        strcpy((char *)bytes, dialect == SIG_LINES ? "{\"id\":1,\"method\":\"add\",\"params\":[1,2]}\n" : summed(request));
        len = strlen((char *)bytes);
    }
    sig_start(&s, &board);
    for (host = 0; host < 1000; host++) {
        /* The former host's last request was whole but for its end, which the new host brought. */
        bool ended = dialect != SIG_FRAMES && host % len == 0 && host > 0;
        uint32_t n = s.n;
        feed(&s, "\n{\"hello\":\"sig\"}\n");
        CHECK(s.n == n + 1 + ended);
        n = s.n - 1;
        sig_feed(&s, bytes, len);
        sig_event_int(&s, "temp", 1);
        CHECK(calls == host + 1 && s.n == n + 3);
        sig_feed(&s, bytes, host % len); /* and is gone */
        line_len = 0;
    }
    CHECK(sizeof s <= 2048);
}

int main(void) {
    checksums_are_the_standard_ones();
    json_is_read_as_it_is();
    numbers_and_texts_are_taken_out();
    events_are_lines();
    what_does_not_fit_shows_as_missed();
    requests_are_answered();
    a_repeated_request_is_executed_once();
    damage_is_noticed();
    what_is_too_long_is_dropped_whole();
    frames_carry_the_same();
    a_board_without_a_host_repeats_its_hello();
    a_long_hello_is_refused();
    a_thousand_hosts_come_and_go(SIG_LINES);
    a_thousand_hosts_come_and_go(SIG_LINES_CRC);
    a_thousand_hosts_come_and_go(SIG_FRAMES);
    printf("13 promises kept, %lu bytes of state\n", (unsigned long)sizeof(sig_sensor));
    return 0;
}
