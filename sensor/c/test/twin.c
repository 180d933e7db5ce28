/* Does what a script on the standard input says, and writes what the board says to the standard output, so that it can be
 * compared with its twin in Rust. A step is a letter and what it needs; numbers are little endian, texts begin with a length
 * of two bytes. */
#include "check.h"

static uint64_t number(unsigned bytes) {
    uint64_t sum = 0;
    unsigned i;
    for (i = 0; i < bytes; i++) {
        int c = getchar();
        CHECK(c != EOF);
        sum |= (uint64_t)(uint8_t)c << (8 * i);
    }
    return sum;
}

static size_t bytes_of(char *to, size_t max) {
    size_t len = (size_t)number(2), i;
    CHECK(len < max);
    for (i = 0; i < len; i++) to[i] = (char)(uint8_t)number(1);
    to[len] = 0;
    return len;
}

int main(void) {
    static char text[1 << 16];
    static const sig_dialect dialects[] = {SIG_LINES, SIG_LINES_CRC, SIG_FRAMES};
    sig_board board = board_of(SIG_LINES);
    sig_sensor s;
    sig_value value;
    int step;
    while ((step = getchar()) != EOF) {
        bool done = true;
        switch (step) {
        case 'N': /* anew, in this dialect */
            board = board_of(dialects[number(1)]);
            done = sig_start(&s, &board);
            break;
        case 'F': {
            size_t len = bytes_of(text, sizeof text);
            sig_feed(&s, text, len);
            break;
        }
        case 'K': sig_tick(&s, (uint32_t)number(4)); break;
        case 'I': done = sig_event_int(&s, "temp", (int64_t)number(8)); break;
        case 'X': {
            int64_t fixed = (int64_t)number(8);
            done = sig_event_fixed(&s, "temp", fixed, (unsigned)number(1));
            break;
        }
        case 'D': {
            uint64_t bits = number(8);
            double real;
            memcpy(&real, &bits, sizeof real);
            done = sig_event_decimal(&s, "temp", real, (unsigned)number(1));
            break;
        }
        case 'T':
            bytes_of(text, sizeof text);
            done = sig_event_text(&s, text, text);
            break;
        case 'R':
            bytes_of(text, sizeof text);
            sig_raw(sig_event(&s, "raw"), text);
            done = sig_send(&s);
            break;
        case 'O': {
            sig_out *out = sig_event(&s, "nested");
            int64_t i, count = (int64_t)number(1);
            sig_object(out);
            sig_key(out, "a");
            sig_array(out);
            for (i = 0; i < count; i++) {
                sig_object(out);
                sig_key(out, "i");
                sig_int(out, i);
                sig_end_object(out);
            }
            sig_end_array(out);
            sig_key(out, "n");
            sig_null(out);
            sig_end_object(out);
            done = sig_send(&s);
            break;
        }
        case 'L':
            bytes_of(text, sizeof text);
            sig_log(&s, text);
            break;
        case 'P': { /* reads a value every way; a number as what it is near */
            size_t len = bytes_of(text, sizeof text);
            int64_t whole = 0;
            bool yes = false;
            char part[64];
            sig_value inner;
            done = sig_parse(text, len, &value);
            if (!done) break;
            printf("%d", (int)sig_kind_of(value));
            if (sig_as_int(value, &whole)) printf(" int %lld", (long long)whole);
            if (sig_as_bool(value, &yes)) printf(" bool %d", yes);
            if (sig_as_text(value, part, sizeof part)) printf(" text %s", part);
            if (sig_member(value, "a", &inner)) printf(" a %.*s", (int)inner.len, inner.at);
            if (sig_item(value, 1, &inner)) printf(" 1 %.*s", (int)inner.len, inner.at);
            printf("\n");
            break;
        }
        default: CHECK(false);
        }
        fwrite(line, 1, line_len, stdout);
        line_len = 0;
        printf("(%c %d %lu %lu %lu)", step, done, (unsigned long)s.damaged, (unsigned long)s.overlong, (unsigned long)s.ignored);
    }
    return 0;
}
