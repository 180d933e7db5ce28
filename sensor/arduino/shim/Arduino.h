// As much of Arduino as the sketches here use, so that a computer can play the board, with a pseudo-terminal as its line:
//
//   g++ -I shim -I ../c -include Arduino.h -x c++ plain_board/plain_board.ino shim/main.cpp -o board
//   ./board /tmp/greenhouse
//
// What sets pins says so on the standard output: `pin 13 = 1`.
#ifndef SIG_ARDUINO_SHIM_H
#define SIG_ARDUINO_SHIM_H

#include <cstddef>
#include <cstdint>
#include <string>

#define LED_BUILTIN 13
#define A0 14
#define OUTPUT 1
#define HIGH 1
#define LOW 0
#define F(text) (text)

class String {
public:
  String(const char *text = "") : text_(text) {}
  explicit String(int number) : text_(std::to_string(number)) {}
  explicit String(long number) : text_(std::to_string(number)) {}
  explicit String(double number, unsigned digits = 2);
  int indexOf(const char *what) const;
  String substring(unsigned from) const;
  long toInt() const;
  const char *c_str() const { return text_.c_str(); }
  void add(char c) { text_ += c; }
  friend String operator+(const String &a, const String &b) { return String((a.text_ + b.text_).c_str()); }

private:
  std::string text_;
};

class SerialPort {
public:
  void begin(unsigned long baud);
  int available();
  int read();
  String readStringUntil(char end);
  size_t write(const uint8_t *bytes, size_t count);
  void print(const String &text);
  void println(const String &text) { print(text + "\r\n"); }
};

extern SerialPort Serial;

unsigned long millis();
void pinMode(int pin, int mode);
void digitalWrite(int pin, int value);
int analogRead(int pin); // 215, 216, 217, ..

void setup();
void loop();

#endif
