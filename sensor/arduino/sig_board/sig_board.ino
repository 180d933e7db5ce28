// A greenhouse with a lamp: temperature every second, the lamp on request, in frames with checksums.
// Copy ../../c/sig_sensor.h beside this file. The sizes are for boards with 2 KiB of memory.
#define SIG_RX_MAX 128
#define SIG_TX_MAX 128
#define SIG_ANSWER_MAX 64
#define SIG_SENSOR_IMPLEMENTATION
#include "sig_sensor.h"

static void led(sig_sensor *, sig_value params, sig_out *answer) {
  bool on;
  if (!sig_as_bool(params, &on)) {
    sig_fail(answer, "led wants true or false");
    return;
  }
  digitalWrite(LED_BUILTIN, on ? HIGH : LOW);
  sig_bool(answer, on);
}

static void period(sig_sensor *, sig_value params, sig_out *answer);

static void serial_write(void *, const uint8_t *bytes, size_t count) { Serial.write(bytes, count); }

static const char *const events[] = {"temp", NULL};
static const sig_method methods[] = {{"led", led}, {"period", period}, {NULL, NULL}};
static const sig_board board = {"greenhouse", events, methods, SIG_FRAMES, serial_write, NULL, NULL};
static sig_sensor sensor;
static unsigned long every = 1000, last = 0;

static void period(sig_sensor *, sig_value params, sig_out *answer) {
  int64_t ms;
  if (!sig_as_int(params, &ms) || ms < 10 || ms > 60000) {
    sig_fail(answer, "period wants 10 to 60000 ms");
    return;
  }
  every = (unsigned long)ms;
  sig_int(answer, ms);
}

void setup() {
  Serial.begin(115200);
  pinMode(LED_BUILTIN, OUTPUT);
  Serial.println(F("this is a log line"));  // beside frames, anything may be printed
  sig_start(&sensor, &board);
}

void loop() {
  while (Serial.available() > 0) {
    uint8_t byte = (uint8_t)Serial.read();
    sig_feed(&sensor, &byte, 1);
  }
  sig_tick(&sensor, (uint32_t)millis());
  if (millis() - last >= every) {
    last = millis();
    sig_event_fixed(&sensor, "temp", analogRead(A0), 1);
  }
}
