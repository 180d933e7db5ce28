const char HELLO[] = "{\"hello\":\"greenhouse\",\"events\":[\"temp\"],\"requests\":[\"led\"]}";
void setup() { Serial.begin(115200); pinMode(LED_BUILTIN, OUTPUT); Serial.println(HELLO); }
void loop() {
  static unsigned long last = 0;
  if (millis() - last >= 1000) { last = millis(); Serial.println("{\"temp\":" + String(analogRead(A0) * 0.1) + "}"); }
  if (!Serial.available()) return;
  String line = Serial.readStringUntil('\n');
  if (line.indexOf("\"hello\"") > 0) Serial.println(HELLO);  // a router asks who this is
  long id = line.substring(line.indexOf("\"id\":") + 5).toInt();
  if (id > 0) digitalWrite(LED_BUILTIN, line.indexOf("\"params\":true") > 0);
  if (id > 0) Serial.println("{\"id\":" + String(id) + ",\"response\":true}");
}
