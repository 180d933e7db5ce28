/* Firmware for the board mps2-an385 (Cortex-M3), which qemu runs with its UART on a pseudo-terminal:
 *
 *   arm-none-eabi-gcc -std=c99 -mcpu=cortex-m3 -mthumb -Os -ffreestanding -nostartfiles --specs=nano.specs \
 *       -DDIALECT=SIG_FRAMES -T mps2.ld board.c -o board.elf
 *   qemu-system-arm -M mps2-an385 -nographic -monitor none -serial pty -kernel board.elf
 *
 * DIALECT is SIG_LINES, SIG_LINES_CRC (taken when there is none) or SIG_FRAMES.
 * No global has a value of its own but 0: nothing copies them, since qemu begins with memory of zeros. */
#ifndef DIALECT
#define DIALECT SIG_LINES_CRC
#endif
#define SIG_SENSOR_IMPLEMENTATION
#include "../c/sig_sensor.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART_DATA REGISTER(0x40004000u)
#define UART_STATE REGISTER(0x40004004u) /* 1: cannot send yet, 2: something came */
#define UART_CTRL REGISTER(0x40004008u)
#define UART_INT REGISTER(0x4000400Cu)
#define UART_BAUDDIV REGISTER(0x40004010u)
#define NVIC_ENABLE REGISTER(0xE000E100u)
#define SYSTICK_CTRL REGISTER(0xE000E010u)
#define SYSTICK_LOAD REGISTER(0xE000E014u)
#define SYSTICK_NOW REGISTER(0xE000E018u)
#define CLOCK_HZ 25000000u

extern uint32_t stack_top;
int main(void);
void reset(void);

static volatile uint32_t now_ms;
static volatile uint8_t ring[256];
static volatile uint8_t ring_in, ring_out;

static void tick(void) { now_ms++; }

static void received(void) {
    UART_INT = 2u; /* first, or a byte that comes behind the last look would never be told of */
    while (UART_STATE & 2u) {
        ring[ring_in] = (uint8_t)UART_DATA;
        ring_in++; /* wraps; what is too much overwrites, and a checksum tells */
    }
}

static void stuck(void) {
    for (;;) {}
}

void reset(void) {
    main();
    stuck();
}

typedef struct vectors {
    uint32_t *stack;
    void (*handlers[16])(void); /* 15: the clock, 16: the UART has received */
} vectors;

__attribute__((section(".vectors"), used)) static const vectors table = {
    &stack_top, {reset, stuck, stuck, stuck, stuck, stuck, 0, 0, 0, 0, stuck, stuck, 0, stuck, tick, received}};

static void uart_write(void *user, const uint8_t *bytes, size_t count) {
    (void)user;
    for (; count > 0; count--) {
        while (UART_STATE & 1u) {}
        UART_DATA = *bytes++;
    }
}

/* ---- the application ---- */

static bool lamp;
static uint32_t every_ms, last_ms;

static void call_lamp(sig_sensor *s, sig_value params, sig_out *answer) {
    if (params.len > 0) {
        if (!sig_as_bool(params, &lamp)) {
            sig_fail(answer, "lamp wants true or false");
            return;
        }
        sig_event_bool(s, "lamp", lamp);
    }
    sig_bool(answer, lamp);
}

/* Emits so many events in a row, each with how many there were before. */
static void call_burst(sig_sensor *s, sig_value params, sig_out *answer) {
    int64_t count, i;
    if (!sig_as_int(params, &count) || count < 0 || count > 10000) {
        sig_fail(answer, "burst wants a number of events, at most 10000");
        return;
    }
    for (i = 0; i < count; i++) {
        sig_out *out = sig_event(s, "burst");
        sig_object(out);
        sig_key(out, "i");
        sig_int(out, i);
        sig_key(out, "half");
        sig_fixed(out, i * 5, 1);
        sig_end_object(out);
        sig_send(s);
    }
    sig_int(answer, count);
}

/* Emits a temperature every so many milliseconds; 0: none. */
static void call_every(sig_sensor *s, sig_value params, sig_out *answer) {
    int64_t ms;
    (void)s;
    if (!sig_as_int(params, &ms) || ms < 0 || ms > 60000) {
        sig_fail(answer, "every wants 0 to 60000 ms");
        return;
    }
    every_ms = (uint32_t)ms;
    last_ms = now_ms;
    sig_int(answer, ms);
}

static void call_echo(sig_sensor *s, sig_value params, sig_out *answer) {
    char text[SIG_RX_MAX + 1];
    size_t i;
    (void)s;
    for (i = 0; i < params.len; i++) text[i] = params.at[i];
    text[i] = 0;
    if (i > 0) sig_raw(answer, text);
}

static void call_print(sig_sensor *s, sig_value params, sig_out *answer) {
    char text[SIG_RX_MAX];
    (void)answer;
    if (sig_as_text(params, text, sizeof text)) sig_log(s, text);
}

static const char *const events[] = {"temp", "lamp", "burst", NULL};
static const sig_method methods[] = {{"lamp", call_lamp}, {"burst", call_burst}, {"every", call_every},
                                     {"echo", call_echo}, {"print", call_print}, {NULL, NULL}};
static const sig_board board = {"board", events, methods, DIALECT, uart_write, NULL, NULL};
static sig_sensor sensor;

int main(void) {
    int64_t tenths = 200;
    static const char banner[] = "mps2-an385 boots\r\n";
    UART_BAUDDIV = CLOCK_HZ / 115200u;
    UART_CTRL = 1u | 2u | 8u; /* send, receive, and say when something came */
    NVIC_ENABLE = 1u;
    SYSTICK_LOAD = CLOCK_HZ / 1000u - 1u;
    SYSTICK_NOW = 0;
    SYSTICK_CTRL = 7u;
    every_ms = 50;
    uart_write(NULL, (const uint8_t *)banner, sizeof banner - 1);
    sig_start(&sensor, &board);
    for (;;) {
        while (ring_out != ring_in) {
            uint8_t byte = ring[ring_out];
            ring_out++;
            sig_feed(&sensor, &byte, 1);
        }
        sig_tick(&sensor, now_ms);
        /* qemu may hand on what the board says a second before it hands on what the host says: first the hello. */
        if (sensor.heard && every_ms > 0 && now_ms - last_ms >= every_ms) {
            last_ms = now_ms;
            sig_event_fixed(&sensor, "temp", tenths, 1);
            tenths = tenths < 300 ? tenths + 1 : 200;
        }
        __asm__ volatile("wfi");
    }
}
