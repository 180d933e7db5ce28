// The rest of the shim. The line is a new pseudo-terminal, whose name is printed. With a name on the command line that
// becomes a link to it. As on a real line, what is sent while nobody has the port open is lost.
#include "Arduino.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

SerialPort Serial;

static int line = -1;

String::String(double number, unsigned digits) {
  char text[64];
  snprintf(text, sizeof text, "%.*f", static_cast<int>(digits), number);
  text_ = text;
}

int String::indexOf(const char *what) const {
  size_t at = text_.find(what);
  return at == std::string::npos ? -1 : static_cast<int>(at);
}

String String::substring(unsigned from) const { return String(from < text_.size() ? text_.c_str() + from : ""); }

long String::toInt() const { return strtol(text_.c_str(), nullptr, 10); }

template <typename... Values> static void say(const char *format, Values... values) {
  printf(format, values...);
  putchar('\n');
  fflush(stdout);
}

static bool is_open() {
  pollfd look = {line, 0, 0};
  return poll(&look, 1, 0) == 0; // else it hung up
}

static bool readable(int ms) {
  pollfd wait = {line, POLLIN, 0};
  if (is_open()) return poll(&wait, 1, ms) > 0 && (wait.revents & POLLIN) != 0;
  poll(nullptr, 0, ms);
  return false;
}

void SerialPort::begin(unsigned long) {}

int SerialPort::available() { return readable(0) ? 1 : 0; }

int SerialPort::read() {
  uint8_t byte;
  if (!readable(0)) return -1;
  return ::read(line, &byte, 1) == 1 ? byte : -1;
}

String SerialPort::readStringUntil(char end) {
  String text;
  while (readable(1000)) {
    int byte = read();
    if (byte == end || byte < 0) break;
    text.add(static_cast<char>(byte));
  }
  return text;
}

size_t SerialPort::write(const uint8_t *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    if (!is_open()) break;
    ssize_t now = ::write(line, bytes + done, count - done);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) break;
    done += static_cast<size_t>(now);
  }
  return count;
}

void SerialPort::print(const String &text) {
  std::string bytes = text.c_str();
  write(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
}

unsigned long millis() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<unsigned long>(now.tv_sec) * 1000 + static_cast<unsigned long>(now.tv_nsec) / 1000000;
}

void pinMode(int, int) {}

void digitalWrite(int pin, int value) { say("pin %d = %d", pin, value); }

int analogRead(int) {
  static int value = 214;
  return value < 1023 ? ++value : value;
}

int main(int count, char **args) {
  line = posix_openpt(O_RDWR | O_NOCTTY);
  if (line < 0 || grantpt(line) != 0 || unlockpt(line) != 0) {
    perror("no pseudo-terminal");
    return 1;
  }
  const char *name = ptsname(line);
  int port = open(name, O_RDWR | O_NOCTTY);
  termios raw;
  if (port >= 0 && tcgetattr(port, &raw) == 0) { // no echo, nothing translated
    cfmakeraw(&raw);
    tcsetattr(port, TCSANOW, &raw);
  }
  close(port); // from here on it shows whether somebody has it open
  if (count > 1) {
    std::string made = std::string(args[1]) + ".new";
    unlink(made.c_str());
    if (symlink(name, made.c_str()) != 0 || rename(made.c_str(), args[1]) != 0) {
      perror(args[1]);
      return 1;
    }
  }
  say("%s", name);
  setup();
  for (;;) {
    readable(1); // a computer has other things to do
    loop();
  }
}
